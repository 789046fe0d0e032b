"""The images, the lifecycle policy and ECR's own preview of a live repository; nothing of it is changed."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.images import INDEX_TYPES
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Lifecycle
from ecr_warden.domain.settings.lifecycle import plan_lifecycle
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_text
from ecr_warden.domain.settings.plans import Compliant
from ecr_warden.domain.sweep.image_totals import simulated
from ecr_warden.errors import AwsError
from ecr_warden_cli.account.stack import CLIENT_CONFIG, account_of, open_session
from ecr_warden_cli.simulation.listing import Listing, Previewed

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_IDS_A_CALL: Final = 100
# ECR's previews of large repositories take minutes.
_MOST_SECONDS: Final = 900
_POLL_SECONDS: Final = 2


class SimulationAccount:
    """One account's registry in one Region; what asks ECR raises ``AwsError`` or ``RefusedError``."""

    def __init__(
        self, client: "ECRClient", place: Place, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client, self._pause = client, pause
        self._settings = EcrSettings(client, account=place.account, region=place.region)
        self._repositories = EcrRepositories(client, _no_tagging, place)

    def own_policy(self, repository_name: str) -> Mapping[str, Any] | None:
        """Give the repository's own policy document, or ``None``."""
        return self._settings.lifecycle_policy(repository_name)

    def images(self, repository_name: str) -> "LiveListing":
        """List a repository's images; which index has which is not known yet: see `with_indexes`."""
        listed = tuple(self._repositories.images(repository_name))
        return LiveListing(
            Listing(tuple(map(simulated, listed)), {image.digest: image.size for image in listed}),
            tuple(
                image.digest for image in listed if image.media_type in INDEX_TYPES and not image.is_archived
            ),
        )

    def with_indexes(self, repository_name: str, live: "LiveListing") -> Listing:
        """Give the images with the indexes that have them, by the manifests of those that can be pulled."""
        holders: defaultdict[str, list[str]] = defaultdict(list)
        for part in in_parts(list(live.indexes), _IDS_A_CALL):
            for index, children in self._children(repository_name, part):
                for child in children:
                    holders[child].append(index)
        images = (replace(one, referenced_by=tuple(holders[one.digest])) for one in live.listing.images)
        return Listing(tuple(images), live.listing.sizes)

    def _children(self, repository_name: str, indexes: list[str]) -> Iterator[tuple[str, list[str]]]:
        what = f"reading the image indexes of {repository_name}"
        with refusable(what):
            answer: Any = self._client.batch_get_image(
                repositoryName=repository_name,
                imageIds=[{"imageDigest": digest} for digest in indexes],
                acceptedMediaTypes=list(INDEX_TYPES),
            )
            found = [
                (
                    image["imageId"]["imageDigest"],
                    [child["digest"] for child in json.loads(image["imageManifest"]).get("manifests", [])],
                )
                for image in answer["images"]
            ]
        for failure in answer.get("failures", []):
            # Deleted since it was listed: it has no images any more.
            if failure.get("failureCode") != "ImageNotFound":
                digest = failure.get("imageId", {}).get("imageDigest")
                raise AwsError(f"{what}: {digest}: {failure.get('failureReason')}: try again later")
        yield from found

    def preview(
        self, repository_name: str, document: Mapping[str, Any], say: Callable[[str], None]
    ) -> dict[str, Previewed]:
        """Let ECR evaluate a document, and give what it takes by digest."""
        text = lifecycle_text(document)
        with refusable(f"starting ECR's lifecycle preview of {repository_name}"):
            self._start(repository_name, text)
        results = self._awaited(repository_name, text, say)
        return {one["imageDigest"]: _previewed(one) for one in results}

    def _start(self, repository_name: str, text: str) -> None:
        try:
            self._client.start_lifecycle_policy_preview(
                repositoryName=repository_name, lifecyclePolicyText=text
            )
        except ClientError as error:
            if code_of(error) == "LifecyclePolicyPreviewInProgressException":
                raise AwsError(
                    f"ECR is at another lifecycle preview of {repository_name}: try again once it is done"
                ) from error
            raise

    def _awaited(self, repository_name: str, text: str, say: Callable[[str], None]) -> list[dict[str, Any]]:
        waited = 0
        while True:
            with refusable(f"reading ECR's lifecycle preview of {repository_name}"):
                answer: Any = self._client.get_lifecycle_policy_preview(
                    repositoryName=repository_name, maxResults=_IDS_A_CALL
                )
            status = answer["status"]
            if status == "COMPLETE":
                break
            if status != "IN_PROGRESS":
                raise AwsError(f"ECR's lifecycle preview of {repository_name} is {status}: try again later")
            if waited >= _MOST_SECONDS:
                raise AwsError(
                    f"ECR's lifecycle preview of {repository_name} was not done after {waited} seconds: "
                    "try again later"
                )
            say(f"waiting for ECR's preview of {repository_name} ({waited} s)")
            self._pause(_POLL_SECONDS)
            waited += _POLL_SECONDS
        if not _same(answer.get("lifecyclePolicyText"), text):
            raise AwsError(f"somebody else started a lifecycle preview of {repository_name}: try again")
        return self._pages(repository_name, answer)

    def _pages(self, repository_name: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
        found = list(answer.get("previewResults", []))
        while token := answer.get("nextToken"):
            with refusable(f"reading ECR's lifecycle preview of {repository_name}"):
                answer = cast(
                    "dict[str, Any]",
                    self._client.get_lifecycle_policy_preview(
                        repositoryName=repository_name, maxResults=_IDS_A_CALL, nextToken=token
                    ),
                )
            found += answer.get("previewResults", [])
        return found


@dataclass(frozen=True)
class LiveListing:
    """A repository's images as listed, and the digests of its image indexes that can be pulled."""

    listing: Listing
    indexes: tuple[str, ...]


def open_account(region: str | None) -> SimulationAccount:
    """Open the account of the usual credentials; raises ``NoRegionError`` and ``AwsError``."""
    session, found = open_session(region)
    place = Place(account_of(session), found)
    return SimulationAccount(session.client("ecr", region_name=found, config=CLIENT_CONFIG), place)


def _no_tagging() -> Any:  # noqa: ANN401  # the tagging API's client has no type here
    raise AssertionError("a simulation reads no resource tags")


def _previewed(result: Mapping[str, Any]) -> Previewed:
    kind = result.get("action", {}).get("type", "EXPIRE")
    return Previewed("archive" if kind == "TRANSITION" else "expire", result.get("appliedRulePriority"))


def _same(text: str | None, wanted: str) -> bool:
    """Tell whether ECR evaluated what it was given, however it numbers, orders and writes the rules."""
    if text is None:
        return True
    planned = plan_lifecycle(json.loads(text), Lifecycle(line=0, document=wanted), override=True)
    return isinstance(planned, Compliant)
