"""Every repository of a registry and its images, page by page, through ECR's API."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.adapters.ecr_settings import repository_of
from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# What ECR and the tagging API give or take in one call.
_A_PAGE: Final = 1000
_NAMES_A_CALL: Final = 100
_TAGGED_A_PAGE: Final = 100
# How often a listing is begun anew: tokens that are refused each time are no accident.
_TRIES: Final = 5
_ARCHIVED: Final = "ARCHIVED"
_EXPIRED: Final = "PaginationTokenExpiredException"


_Item = TypeVar("_Item")
# What takes a call's ``maxResults`` and ``nextToken``, and gives the page and the next one's token.
_Ask: TypeAlias = Callable[[Mapping[str, Any]], tuple[tuple[_Item, ...], str | None]]


class _StaleTokenError(Exception):
    """A page's token that is not taken any more."""


class EcrRepositories:
    """One account's registry in one Region.

    Parameters
    ----------
    client
        ECR's, there.
    tagging
        Builds the Resource Groups Tagging API's, there: few need it.
    place
        Where it is.

    """

    def __init__(self, client: "ECRClient", tagging: Callable[[], Any], place: Place) -> None:
        self._client = client
        self._tagging = tagging
        self._place = place

    def pages(self) -> Iterator[tuple[Repository, ...]]:
        """Give all repositories, a thousand at a time, each once."""

        def ask(paging: Mapping[str, Any]) -> tuple[tuple[Repository, ...], str | None]:
            answer: Any = self._client.describe_repositories(**paging)
            return tuple(repository_of(one) for one in answer["repositories"]), answer.get("nextToken")

        what = f"listing the repositories of {self._place}"
        yield from _each_once(what, ask, lambda repository: repository.name)

    def named(self, repository_names: Sequence[str]) -> tuple[Repository, ...]:
        """Describe repositories; those that do not exist are left out."""
        names = list(dict.fromkeys(repository_names))
        with refusable(f"describing {len(names)} repositories of {self._place}"):
            return tuple(
                repository_of(one) for part in in_parts(names, _NAMES_A_CALL) for one in self._described(part)
            )

    def images(self, repository_name: str) -> Iterator[ListedImage]:
        """Give every image of a repository, archived ones too; raises ``RepositoryGoneError``."""

        def ask(paging: Mapping[str, Any]) -> tuple[tuple[ListedImage, ...], str | None]:
            answer: Any = self._client.describe_images(
                repositoryName=repository_name,
                # Without it ECR leaves out those that are archived or being restored.
                filter={"imageStatus": "ANY"},
                **paging,
            )
            return tuple(_listed(one) for one in answer["imageDetails"]), answer.get("nextToken")

        what = f"listing the images of {repository_name}"
        for page in _each_once(what, ask, lambda image: image.digest):
            yield from page
            del page

    def resource_tags(self) -> Mapping[str, Mapping[str, str]]:
        """Give the resource tags of all repositories that have any, by name; some seconds may be missing."""
        with refusable(f"reading the resource tags of the repositories of {self._place}"):
            for _ in range(_TRIES):
                try:
                    return self._tagged()
                except ClientError as error:
                    if code_of(error) != _EXPIRED:
                        raise
                    stale = error
            raise stale

    def _described(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Describe repositories by at most 100 names."""
        try:
            answer: Any = self._client.describe_repositories(repositoryNames=list(names))
        except ClientError as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise
            # One that is missing fails the whole call: half by half it is found in a few calls.
            if len(names) > 1:
                middle = len(names) // 2
                yield from self._described(names[:middle])
                yield from self._described(names[middle:])
            return
        yield from answer["repositories"]

    def _tagged(self) -> dict[str, dict[str, str]]:
        client, token = self._tagging(), ""
        tags: dict[str, dict[str, str]] = {}
        while True:
            answer = client.get_resources(
                ResourceTypeFilters=["ecr:repository"],
                ResourcesPerPage=_TAGGED_A_PAGE,
                **({"PaginationToken": token} if token else {}),
            )
            for found in answer["ResourceTagMappingList"]:
                name = found["ResourceARN"].partition(":repository/")[2]
                tags[name] = {tag["Key"]: tag.get("Value", "") for tag in found.get("Tags", [])}
            token = answer.get("PaginationToken") or ""
            if not token:
                return {name: own for name, own in tags.items() if own}


def _each_once(what: str, ask: _Ask[_Item], name_of: Callable[[_Item], str]) -> Iterator[tuple[_Item, ...]]:
    """Give a listing's pages; where a token is not taken any more, it begins anew with what is left."""
    # Eight bytes for each, not its whole name: a registry has up to 100,000.
    given = array("q")
    for _ in range(_TRIES):
        before = frozenset(given)
        try:
            for page in _pages(what, ask):
                given.extend(hash(name_of(one)) for one in page)
                yield tuple(one for one in page if hash(name_of(one)) not in before) if before else page
                # A page that was gone through is not to be in memory while the next one is read.
                del page
        except _StaleTokenError:
            continue
        return
    raise AwsError(f"{what}: ECR refused a page's token {_TRIES} times: run it again")


def _pages(what: str, ask: _Ask[_Item]) -> Iterator[tuple[_Item, ...]]:
    token: str | None = None
    while True:
        paging: dict[str, Any] = {"maxResults": _A_PAGE} | ({"nextToken": token} if token else {})
        with refusable(what):
            try:
                page, token = ask(paging)
            except ClientError as error:
                if "nextToken" in paging and _is_of_token(error):
                    raise _StaleTokenError from error
                raise
        yield page
        del page
        if not token:
            return


def _is_of_token(error: ClientError) -> bool:
    """Tell whether ECR does not take the page's token: there is no code for it alone."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    return code_of(error) == "InvalidParameterException" and "token" in message.lower()


def _listed(image: Mapping[str, Any]) -> ListedImage:
    # Basic scanning gives none since 2024; DescribeImageScanFindings has it of one image a call.
    scan = image.get("imageScanFindingsSummary")
    counts = (scan or {}).get("findingSeverityCounts", {})
    return ListedImage(
        digest=image["imageDigest"],
        tags=tuple(image.get("imageTags", ())),
        pushed_at=image["imagePushedAt"],
        size=image.get("imageSizeInBytes", 0),
        pulled_at=image.get("lastRecordedPullTime"),
        storage_class="ARCHIVE" if image.get("imageStatus") == _ARCHIVED else "STANDARD",
        archived_at=image.get("lastArchivedAt"),
        activated_at=image.get("lastActivatedAt"),
        media_type=image.get("imageManifestMediaType"),
        artifact_media_type=image.get("artifactMediaType"),
        subject=image.get("subjectManifestDigest"),
        finding_counts=None if scan is None else tuple(sorted(counts.items())),
        scanned_at=(scan or {}).get("imageScanCompletedAt"),
    )
