"""What Inspector knows of clusters, on top of moto.

Simulated here: GetClustersForImage, in one page. Which clusters use which image is what a test says, in
``CLUSTERS``; nothing runs here.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.inspector2 import urls
from moto.inspector2.responses import Inspector2Response

# An image's ARN, with its digest, and the clusters as Inspector gives them.
CLUSTERS: Final[dict[str, list[dict[str, Any]]]] = {}


def _get_clusters_for_image(response: Inspector2Response) -> str:
    image = response._get_param("filter")["resourceId"]  # noqa: SLF001  # how moto's responses read
    return json.dumps({"cluster": CLUSTERS.get(image, [])})


@contextmanager
def clusters_known() -> Iterator[None]:
    """Let moto answer GetClustersForImage while the context lasts; it must begin before moto does."""
    with (
        patch.dict(urls.url_paths, {"{0}/cluster/get$": Inspector2Response.dispatch}),
        patch.object(Inspector2Response, "get_clusters_for_image", _get_clusters_for_image, create=True),
    ):
        yield
