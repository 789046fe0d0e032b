"""A fitting outcome of every kind: what the use cases would publish on a day of a small shop's registry."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ecr_warden.domain.finding_summary import FindingChanges, FindingShown, FindingsSummary
from ecr_warden.domain.outcomes import (
    Outcome,
    OutcomeKind,
    SettingOutcome,
    SettingStatus,
    change_id,
    outcome_id,
)
from ecr_warden.domain.policy import Mode, RuleReference, Severity

_ACCOUNT: Final = "123456789012"
_REGION: Final = "eu-west-1"
_DAY: Final = datetime(2026, 11, 24, 9, 14, 7, tzinfo=UTC)
# Digests are looked up by nobody here; they only look like what a registry has.
_API: Final = "sha256:1cace243f5a2b8dad242de2112fb52e37e2e7ee978a3e4bc7eb9a52e93028080"
_PAY: Final = "sha256:c7761e58969f7edd498186641b2021e8477e1bcd230de4cf3435242da4a40d14"
_BATCH: Final = "sha256:939232109a83087e75f8871cc27ef87d7e923750e628996070f4fa32d6df2583"
_PROXY: Final = "sha256:5a9cb6b54ea56d52a69891af8c21afb73d3841611bbabb5d7c61312d81e6e041"
_API_NOW: Final = "sha256:459998d6096619e09ed6cc60ede8e4bce16e3f014d90176f121c1a3858f73877"
_ALPINE: Final = "sha256:30ac56e14c8bfb7da461586dc579db698ee39e1bfb61bf66cf0c9316d1eb83c7"

_TAGS: Final = RuleReference("policy.yaml", 7, ("shop/**",))
_LIFECYCLE: Final = RuleReference("policy.yaml", 12, ("shop/**",))
_RESOURCE_TAGS: Final = RuleReference("policy.yaml", 13, ("shop/**",))
_GATE: Final = RuleReference("policy.yaml", 14, ("shop/**",))
_MUTABILITY: Final = RuleReference("policy.yaml", 11, ("shop/**",))

_NOT_DONE: Final = "Nothing was changed: the rule asks only to tell you."
_ALLOWED: Final = {"critical": 0, "high": 5}


def sample(kind: OutcomeKind) -> Outcome:
    """Give the sample of a kind, always the same."""
    return _SAMPLES[kind]


def _outcome(  # noqa: PLR0913  # what every sample must say for itself
    kind: OutcomeKind,
    number: int,
    *,
    repository: str,
    severity: Severity,
    decision: str,
    reason: str,
    next_step: str,
    rule: RuleReference | None,
    **others: Any,  # noqa: ANN401  # the fields of Outcome that only some samples have
) -> Outcome:
    event_id = f"5d0c7f3a-6b1e-4c2d-9a48-{number:012}"
    digest, tag = others.pop("image_digest", None), others.pop("image_tag", None)
    return Outcome(
        id=outcome_id(kind, event_id=event_id, repository=repository, image_digest=digest, image_tag=tag),
        kind=kind,
        account=_ACCOUNT,
        region=_REGION,
        repository=repository,
        image_digest=digest,
        image_tag=tag,
        mode=others.pop("mode", Mode.ENFORCE),
        decision=decision,
        action=others.pop("action", "notify"),
        changed=others.pop("changed", False),
        reason=reason,
        next_step=next_step,
        rule=rule,
        severity=severity,
        event_id=event_id,
        event_time=_DAY + timedelta(minutes=7 * number),
        **others,
    )


def _setting(
    section: str, status: SettingStatus, what: str, rule: RuleReference, next_step: str = ""
) -> SettingOutcome:
    return SettingOutcome(section, status, what, rule, Mode.ENFORCE, next_step)


_QUARANTINE_TAG: Final = "quarantine-1cace243f5a2-latest"
_TAG_VIOLATION: Final = _outcome(
    OutcomeKind.TAG_VIOLATION,
    1,
    repository="shop/api",
    image_digest=_API,
    image_tag="latest",
    severity=Severity.MEDIUM,
    decision="violation",
    action="quarantine",
    changed=True,
    reason=(
        f"The tag latest is denied by the pattern latest. The image was kept as shop/api:{_QUARANTINE_TAG} "
        "and the tag latest was taken from it."
    ),
    next_step=(
        "Push the image again under a tag that is allowed: semver, git-sha, release-*. Until then it can be "
        f"pulled as {_QUARANTINE_TAG} or by its digest, unless it is archived."
    ),
    rule=_TAGS,
    change_ids=("d96cdca9a8ff0588bb05c21947a74b11",),
    pushed_by="github-actions/shop-api-1412",
)

_CONFIGURED: Final = (
    _setting(
        "tag_mutability",
        SettingStatus.CHANGED,
        "tag mutability MUTABLE → IMMUTABLE_WITH_EXCLUSION (except cache-*)",
        _MUTABILITY,
    ),
    _setting("lifecycle", SettingStatus.CHANGED, "lifecycle policy none → 3 rules", _LIFECYCLE),
    _setting("resource_tags", SettingStatus.CHANGED, "resource tags managed-by=ecr-warden", _RESOURCE_TAGS),
)
_REPOSITORY_CONFIGURED: Final = _outcome(
    OutcomeKind.REPOSITORY_CONFIGURED,
    2,
    repository="shop/search",
    severity=Severity.INFO,
    decision="configured",
    action="configure",
    changed=True,
    reason=f"Changed: {'; '.join(one.what for one in _CONFIGURED)}. Created by Admin/mary.",
    next_step="Nothing is left to do. Another value that its owners set later is left alone.",
    rule=_MUTABILITY,
    settings=_CONFIGURED,
    change_ids=tuple(
        change_id(event_id="search", repository="shop/search", setting=one.section) for one in _CONFIGURED
    ),
    created_by="Admin/mary",
)

_TAG_IT: Final = (
    "Ask its owner to tag it, with values of their own: `aws ecr tag-resource --region eu-west-1 "
    "--resource-arn arn:aws:ecr:eu-west-1:123456789012:repository/shop/returns --tags Key=team,Value=TEAM`"
)
_INCOMPLETE: Final = (
    _setting(
        "resource_tags",
        SettingStatus.VIOLATION,
        "it lacks the resource tag team, which it must have",
        _RESOURCE_TAGS,
        _TAG_IT,
    ),
    _setting("lifecycle", SettingStatus.CHANGED, "lifecycle policy none → 3 rules", _LIFECYCLE),
)
_REPOSITORY_INCOMPLETE: Final = _outcome(
    OutcomeKind.REPOSITORY_INCOMPLETE,
    3,
    repository="shop/returns",
    severity=Severity.MEDIUM,
    decision="incomplete",
    action="configure",
    changed=True,
    reason=(
        "Not as the policy wants it: it lacks the resource tag team, which it must have. Changed: lifecycle "
        "policy none → 3 rules. Created by terraform/shop-platform."
    ),
    next_step=f"{_TAG_IT}.",
    rule=_RESOURCE_TAGS,
    settings=_INCOMPLETE,
    change_ids=(change_id(event_id="returns", repository="shop/returns", setting="lifecycle"),),
    created_by="terraform/shop-platform",
)

_UNDO_PAY: Final = "77a879df6feede0ab1afee48f6c2953b"
_IMAGE_VULNERABLE: Final = _outcome(
    OutcomeKind.IMAGE_VULNERABLE,
    4,
    repository="shop/pay",
    image_digest=_PAY,
    image_tag="v2.4.1",
    severity=Severity.CRITICAL,
    decision="failed",
    action="quarantine",
    changed=True,
    reason=(
        "shop/pay:v2.4.1 fails the scan gate: 2 critical (0 allowed). Not counted are findings that have no "
        "fix. Compared with the image pushed before it, v2.4.0: 2 new, 1 fixed, 4 still there. It was "
        "quarantined: ECR archived it, so that it cannot be pulled under any tag or digest."
    ),
    next_step=(
        "Update openssl to 3.0.7 (CVE-2022-3602), log4j-core to 2.15.0 (CVE-2021-44228), build the image "
        "again and push it. Where a finding is no risk here, add an exception to the policy, with a reason "
        f"and an end date. `ecr-warden undo {_UNDO_PAY}` takes it back, which takes ECR up to 20 minutes."
    ),
    rule=_GATE,
    change_ids=(_UNDO_PAY,),
    owner="payments",
    pushed_by="github-actions/shop-pay-318",
    findings=FindingsSummary(
        counts={"critical": 2, "high": 3, "medium": 7},
        counted={"critical": 2, "high": 1, "medium": 4},
        allowed=_ALLOWED,
        worst=(
            FindingShown(
                "CVE-2021-44228",
                "critical",
                package="log4j-core",
                installed_version="2.14.1",
                fixed_version="2.15.0",
                url="https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
                exploit_available=True,
                epss=0.94358,
            ),
            FindingShown(
                "CVE-2022-3602",
                "critical",
                package="openssl",
                installed_version="3.0.2",
                fixed_version="3.0.7",
                more_packages=1,
                url="https://nvd.nist.gov/vuln/detail/CVE-2022-3602",
            ),
            FindingShown(
                "CVE-2023-44487",
                "high",
                package="nghttp2",
                installed_version="1.51.0",
                fixed_version="1.57.0",
                url="https://nvd.nist.gov/vuln/detail/CVE-2023-44487",
                epss=0.94418,
            ),
        ),
        changes=FindingChanges(
            "the image pushed before it, v2.4.0",
            new=2,
            fixed=1,
            still_there=4,
            new_ids=("critical CVE-2021-44228 log4j-core", "critical CVE-2022-3602 openssl"),
            fixed_ids=("high CVE-2025-26519 musl",),
        ),
    ),
)

# The same image: in a channel with threads it answers the message before.
_IMAGE_RECOVERED: Final = _outcome(
    OutcomeKind.IMAGE_RECOVERED,
    9,
    repository="shop/pay",
    image_digest=_PAY,
    image_tag="v2.4.1",
    severity=Severity.INFO,
    decision="passed",
    action="quarantine",
    reason=(
        "shop/pay:v2.4.1 passes the scan gate again. Compared with the last scan of this image: 0 new, 2 "
        "fixed, 4 still there."
    ),
    next_step=f"If it is quarantined still, `ecr-warden undo {_UNDO_PAY}` lets it be pulled again.",
    rule=_GATE,
    owner="payments",
    findings=FindingsSummary(
        counts={"high": 3, "medium": 7},
        counted={"high": 1, "medium": 4},
        allowed=_ALLOWED,
        changes=FindingChanges(
            "the last scan of this image",
            new=0,
            fixed=2,
            still_there=4,
            fixed_ids=("critical CVE-2021-44228 log4j-core", "critical CVE-2022-3602 openssl"),
        ),
    ),
)

_SCAN_FAILED: Final = _outcome(
    OutcomeKind.SCAN_FAILED,
    5,
    repository="shop/legacy-batch",
    image_digest=_BATCH,
    image_tag="3.9.1",
    severity=Severity.MEDIUM,
    decision="scan_failed",
    reason=(
        "The scan of shop/legacy-batch:3.9.1 ended as FAILED: UnsupportedImageError: The operating system "
        f"and/or package manager are not supported. The scan gate cannot judge it. {_NOT_DONE}"
    ),
    next_step=(
        "Start a scan again, once a day at most: `aws ecr start-image-scan --repository-name "
        f"shop/legacy-batch --image-id imageDigest={_BATCH}`."
    ),
    rule=_GATE,
    owner="logistics",
)

_IMAGE_NOT_SCANNED: Final = _outcome(
    OutcomeKind.IMAGE_NOT_SCANNED,
    6,
    repository="shop/static-proxy",
    image_digest=_PROXY,
    severity=Severity.MEDIUM,
    decision="image_not_scanned",
    reason=(
        f"Inspector does not scan shop/static-proxy@{_PROXY}: UNSUPPORTED_OS. The scan gate cannot judge it. "
        f"{_NOT_DONE}"
    ),
    next_step="Build it on an operating system that Inspector supports and that is not at its end.",
    rule=_GATE,
)

_REPLICATION_FAILED: Final = _outcome(
    OutcomeKind.REPLICATION_FAILED,
    7,
    repository="shop/api",
    image_digest=_API_NOW,
    image_tag="v1.4.2",
    severity=Severity.HIGH,
    decision="failed",
    reason=(
        "shop/api:v1.4.2 was not replicated from eu-central-1 of account 123456789012 to eu-west-1 of "
        "account 123456789012: ECR says FAILED, and not why. Whoever pulls it there gets an older image, or "
        "none."
    ),
    next_step=(
        "Most often one of these is the cause: the registry policy of the destination does not allow the "
        "source to replicate; the tag is immutable there and names another image (this one may then be there "
        "without the tag); the repository's KMS key cannot be used; the repository could not be created, or "
        "is at its limit of images. Mend it, and push the image again, or replicate all that is missing, in "
        "the source Region: aws ecr start-replication-backfill --destination "
        "region=eu-west-1,registryId=123456789012"
    ),
    rule=None,
)

_PULL_THROUGH_CACHE_FAILED: Final = _outcome(
    OutcomeKind.PULL_THROUGH_CACHE_FAILED,
    8,
    repository="docker-hub/library/alpine",
    image_digest=_ALPINE,
    image_tag="3.21",
    severity=Severity.MEDIUM,
    decision="failed",
    reason=(
        "ECR could not bring docker-hub/library/alpine:3.21 from registry-1.docker.io: "
        "UpstreamTooManyRequests: The upstream registry answered 429 Too Many Requests. A pull gets what is "
        "cached, which may be old, or nothing."
    ),
    next_step=(
        "Look whether the rule's credentials in Secrets Manager are valid still, whether the upstream "
        "registry limits how often it is pulled from, and whether the image is there. `aws ecr "
        "validate-pull-through-cache-rule --ecr-repository-prefix docker-hub` tries the rule."
    ),
    rule=None,
)

_LIFECYCLE_RAN: Final = _outcome(
    OutcomeKind.LIFECYCLE_RAN,
    10,
    repository="shop/api",
    severity=Severity.INFO,
    decision="ran",
    reason=(
        "ECR ran the lifecycle policy of shop/api. Rule 1 (untagged for 7 days) expired 3 images: "
        "sha256:777777777777, sha256:888888888888, sha256:999999999999. ECR does not say how many bytes. ECR "
        "tells of ten images at a time: other messages may be of the same run."
    ),
    next_step="Nothing is left to do.",
    rule=None,
)

_RUN: Final = "sweep-2026-11-24"
_IN_USE: Final = _setting(
    "tags",
    SettingStatus.VIOLATION,
    "1 tag against the rule: latest (sha256:1cace243f5a2), it is or may be in use: service "
    "arn:aws:ecs:eu-west-1:123456789012:service/shop/web",
    _TAGS,
    "Push the image again under a tag that is allowed: semver, git-sha, release-*",
)
_DRIFT: Final = (
    _setting(
        "tag_mutability",
        SettingStatus.CHANGED,
        "tag mutability MUTABLE → IMMUTABLE_WITH_EXCLUSION (except cache-*)",
        _MUTABILITY,
    ),
    _IN_USE,
)
_UNDO_DRIFT: Final = change_id(
    event_id=f"{_RUN} {_ACCOUNT}/{_REGION}", repository="shop/web", setting="tag_mutability"
)
_DRIFT_FOUND: Final = _outcome(
    OutcomeKind.DRIFT_FOUND,
    11,
    repository="shop/web",
    severity=Severity.MEDIUM,
    decision="violation",
    action="configure",
    changed=True,
    reason=f"Not as the policy wants it: {_IN_USE.what}. Changed: {_DRIFT[0].what}.",
    next_step=(
        f"{_IN_USE.next_step}. `ecr-warden undo {_UNDO_DRIFT}` takes it back; the next sweep changes it "
        "again, unless the policy says otherwise by then or the repository is exempt."
    ),
    rule=_TAGS,
    settings=_DRIFT,
    change_ids=(_UNDO_DRIFT,),
    owner="storefront",
)

_SWEEP_FINISHED: Final = _outcome(
    OutcomeKind.SWEEP_FINISHED,
    12,
    repository="*",
    severity=Severity.HIGH,
    decision="partial",
    changed=True,
    reason=(
        "412 repositories were compared with the policy in 2 registries. Of their settings and tags: 1,630 "
        "as the policy wants it, 9 otherwise, 2 for somebody to act on, 7 left as somebody chose. Changes: 8 "
        "made, 1 left, as something uses it or it is exempt. Not looked at: the registry in "
        "222222222222/eu-west-1: assuming the role ecr-warden-member: AccessDenied."
    ),
    next_step=(
        "Mend what keeps it from being looked at; the next sweep looks at everything again. The report: "
        "https://eu-west-1.console.aws.amazon.com/s3/object/ecr-warden-reports?region=eu-west-1&prefix="
        f"runs/{_RUN}/report.html `ecr-warden undo --run {_RUN}` takes the changes of this run back."
    ),
    rule=None,
)

_SAMPLES: Final = {
    one.kind: one
    for one in (
        _TAG_VIOLATION,
        _REPOSITORY_CONFIGURED,
        _REPOSITORY_INCOMPLETE,
        _IMAGE_VULNERABLE,
        _IMAGE_RECOVERED,
        _SCAN_FAILED,
        _IMAGE_NOT_SCANNED,
        _REPLICATION_FAILED,
        _PULL_THROUGH_CACHE_FAILED,
        _LIFECYCLE_RAN,
        _DRIFT_FOUND,
        _SWEEP_FINISHED,
    )
}
