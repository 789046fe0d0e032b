"""A registry of 200 repositories in every state, as it is on the day the product is installed."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from moto.ecr.models import ECRBackend

from ecr_warden_cli.demo.creations import OWN_LIFECYCLE
from ecr_warden_cli.demo.scene import MANIFEST
from ecr_warden_cli.local.ecr_double import make_repository, seed_image
from ecr_warden_cli.local.ecr_double.api import repository_of
from ecr_warden_cli.local.ecr_double.findings import enhanced_finding
from ecr_warden_cli.local.ecr_double.scan_events import complete_scan
from ecr_warden_cli.local.ecr_double.storage import storage_of
from ecr_warden_cli.local.inspector_double import CLUSTERS

# How many there are of each state: 200 in all.
STATES: Final[Mapping[str, int]] = {
    "bare": 60,
    "compliant": 40,
    "own-choice": 20,
    "exempt": 10,
    "audited": 20,
    "denied-tag": 12,
    "denied-tag-in-use": 6,
    "without-team": 12,
    "archived": 6,
    "vulnerable": 6,
    "never-pulled": 6,
    "deleted-meanwhile": 1,
    "no-access": 1,
}
# What images are like: bytes, and days since their push.
_SMALLEST: Final = 40_000_000
_STEP: Final = 20_000
_OLDEST: Final = 500
# An image that lost its tag to another.
_REPLACED: Final = "replaced"
REPOSITORIES: Final = sum(STATES.values())
_OPENSSL: Final = enhanced_finding("CVE-2022-3602", "CRITICAL", ("openssl", "3.0.2", "3.0.7"), score=9.8)
_TEAMS: Final = ("payments", "search", "storefront")
_IMMUTABLE: Final = {
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "cache-*"}],
}


def name_of(state: str, number: int = 0) -> str:
    """Name a repository of a state."""
    return f"fleet/{state}-{number:02}"


def digest_of(name: str, tag: str) -> str:
    """Give the digest of a repository's image."""
    return f"sha256:{sha256(f'{name}:{tag}'.encode()).hexdigest()}"


class Fleet:
    """Makes the repositories, without an event of any: nobody was there to hear it.

    Parameters
    ----------
    backend
        The registry.
    lifecycle
        The lifecycle policy that the policy wants, of those that have it.

    """

    def __init__(self, backend: ECRBackend, lifecycle: Mapping[str, Any]) -> None:
        self._backend = backend
        self._lifecycle = json.dumps(lifecycle)
        self._dress: dict[str, Callable[[str], None]] = {
            "bare": self._leave,
            "compliant": self._comply,
            "own-choice": self._choose,
            "denied-tag": lambda name: self._push(name, "latest", "v1.0.0"),
            "denied-tag-in-use": self._use,
            "archived": self._archive,
            "vulnerable": self._infect,
            "never-pulled": lambda name: self._push(name, *(f"v1.{number}.0" for number in range(3))),
        }

    def build(self) -> None:
        """Make all."""
        for name, state in _names():
            settings: dict[str, Any] = {"tags": self._tags(name, state)}
            if state == "compliant":
                settings |= _IMMUTABLE
            make_repository(self._backend, name, settings)
            if state in self._dress:
                self._dress[state](name)

    def _tags(self, name: str, state: str) -> list[dict[str, str]]:
        tags = {} if state == "without-team" else {"team": _TEAMS[int(name[-2:]) % len(_TEAMS)]}
        if state == "exempt":
            tags["ecr-warden:exempt"] = "all"
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def _comply(self, name: str) -> None:
        self._keep(name, self._lifecycle)
        self._push(name, "v1.0.0")

    def _choose(self, name: str) -> None:
        self._keep(name, json.dumps(OWN_LIFECYCLE))

    def _keep(self, name: str, lifecycle: str) -> None:
        repository_of(self._backend, name).lifecycle_policy = lifecycle

    def _use(self, name: str) -> None:
        self._push(name, "latest")
        arn = f"{repository_of(self._backend, name).arn}/{digest_of(name, 'latest')}"
        region, account = self._backend.region_name, self._backend.account_id
        CLUSTERS[arn] = [{"clusterArn": f"arn:aws:eks:{region}:{account}:cluster/prod"}]

    def _archive(self, name: str) -> None:
        self._push(name, "v0.9.0")

    def _infect(self, name: str) -> None:
        self._push(name, "v2.0.0")
        digest = digest_of(name, "v2.0.0")
        complete_scan(_unheard, self._backend, name, digest, [_OPENSSL], enhanced=True)

    def _leave(self, name: str) -> None:
        """Push an image twice under a tag, so that the first has none any more."""
        self._push(name, _REPLACED, "v1.0.0")

    def _push(self, name: str, *tags: str) -> None:
        for tag in tags:
            digest = digest_of(name, tag)
            layer = {"digest": digest, "size": _SMALLEST + int(digest[7:11], 16) * _STEP}
            body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer]})
            tagged = () if tag == _REPLACED else (tag,)
            seed_image(self._backend, name, digest=digest, tags=tagged, manifest=body, media_type=MANIFEST)
            image = repository_of(self._backend, name).images[-1]
            # A tag of what is old, or pulled, would stay by that alone.
            is_new = "denied-tag" in name
            days = 1 if is_new else 1 + int(digest[11:15], 16) % _OLDEST
            pushed_at = datetime.now(UTC) - timedelta(days=days)
            image.image_pushed_at = int(pushed_at.timestamp())
            if "never-pulled" not in name and not is_new:
                storage_of(image).pulled_at = pushed_at + timedelta(hours=1)


def _unheard(*_: object, **__: object) -> None:
    """Lose an event."""


def _names() -> Iterator[tuple[str, str]]:
    for state, count in STATES.items():
        for number in range(count):
            yield name_of(state, number), state
