import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.domain.artifacts import Artifact, classify
from ecr_warden.domain.policy import Mode, Policy, Rule, Severity, TagAction, TagException, TagRules
from ecr_warden.domain.resolution import resolve_tags
from ecr_warden.domain.tag_patterns import matches_tag
from ecr_warden.domain.tag_rules import Allowed, NotJudged, Violation, judge_push

RULES = TagRules(line=7, allow=("semver",), deny=("latest",), on_violation=TagAction.QUARANTINE)
CHARTS = TagRules(line=20, deny=("*-dev",), artifacts=frozenset({Artifact.HELM_CHART}))
POLICY = Policy(
    file="policy.yaml",
    rules=(
        Rule(line=5, match=("free/**",)),
        Rule(line=6, match=("**",), excluded=("old/**",), mode=Mode.ENFORCE, tags=RULES),
        Rule(line=19, match=("**",), tags=CHARTS),
    ),
)
HELM = "application/vnd.cncf.helm.config.v1+json"


@pytest.fixture
def judge(push_event):
    def judge_one(tag, policy=POLICY, detail_type="ECR Image Action", **detail):
        event = push_event(image_tag=tag, **detail) | {"detail-type": detail_type}
        return judge_push(parse_image_action(event), policy)

    return judge_one


def test_a_denied_tag_is_a_violation_that_names_rule_mode_and_action(judge):
    decision = judge("latest")
    assert isinstance(decision, Violation)
    assert (decision.rule.file, decision.rule.line, decision.rule.match) == ("policy.yaml", 7, ("**",))
    assert (decision.mode, decision.action) == (Mode.ENFORCE, TagAction.QUARANTINE)
    assert decision.severity is Severity.MEDIUM
    assert "latest" in decision.reason


def test_a_tag_that_nothing_allows_is_a_violation_that_says_what_is_allowed(judge):
    decision = judge("newest")
    assert isinstance(decision, Violation)
    assert "semver" in decision.reason


def test_an_allowed_tag_passes(judge):
    assert isinstance(judge("v1.2.3"), Allowed)


@pytest.mark.parametrize(
    ("tag", "detail"),
    [
        (None, {}),
        ("latest", {"result": "FAILURE"}),
        ("latest", {"action_type": "DELETE"}),
        ("latest", {"action_type": "BRAND_NEW"}),
        ("quarantine-abababababab-latest", {"image_digest": "sha256:" + "ab" * 32}),
        ("sha256-" + "ab" * 32 + ".sig", {}),
        ("sha256-" + "ab" * 32, {}),
        ("latest", {"artifact_media_type": "application/vnd.cyclonedx+json"}),
        ("latest", {"detail_type": "ECR Referrer Action"}),
        ("latest", {"artifact_media_type": "application/vnd.buildkit.cacheconfig.v0"}),
        ("latest", {"repository_name": "old/app"}),
    ],
)
def test_what_no_rule_is_for_is_not_judged(judge, tag, detail):
    assert isinstance(judge(tag, **detail), NotJudged)


def test_a_chart_is_judged_by_the_rule_for_charts(judge):
    decision = judge("1.0.0-dev", artifact_media_type=HELM)
    assert isinstance(decision, Violation)
    assert decision.rule.line == 20
    assert isinstance(judge("latest", artifact_media_type=HELM), Allowed)


@pytest.mark.parametrize(("until", "kind"), [(date(2019, 11, 16), Allowed), (date(2019, 11, 15), Violation)])
def test_an_exception_counts_through_its_last_day(judge, until, kind):
    exception = TagException(line=30, repository="**", tag="la*", until=until, reason="moving")
    decision = judge("latest", policy=Policy(file="p", rules=POLICY.rules, exceptions=(exception,)))
    assert isinstance(decision, kind)


@pytest.mark.parametrize(
    ("media_type", "artifact"),
    [
        (None, Artifact.IMAGE),
        ("application/vnd.oci.image.config.v1+json", Artifact.IMAGE),
        (HELM, Artifact.HELM_CHART),
        ("application/vnd.buildkit.cacheconfig.v0", Artifact.BUILD_CACHE),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", Artifact.REFERRER),
        ("application/vnd.wasm.config.v0+json", Artifact.OTHER),
    ],
)
def test_the_artifact_is_told_from_the_event(push_event, media_type, artifact):
    assert classify(parse_image_action(push_event(artifact_media_type=media_type))) is artifact


def test_resolution_says_why_each_earlier_rule_was_passed_over():
    resolution = resolve_tags(POLICY, "old/app", Artifact.HELM_CHART)
    assert [(rule.line, rule.reason) for rule in resolution.passed_over] == [
        (5, "its match has no glob for old/app"),
        (6, "its except has old/**"),
    ]
    assert resolution.rule is not None
    assert resolution.rule.line == 20
    assert resolve_tags(POLICY, "free/app", Artifact.OTHER).rules is None
    passed = resolve_tags(POLICY, "free/app", Artifact.HELM_CHART).passed_over
    assert [rule.reason for rule in passed] == [
        "it has no tags section",
        "its tags section is for image, not helm-chart",
    ]


PATTERNS = st.lists(st.sampled_from(["semver", "git-sha", "*", "a*", "re:[0-9]+", "latest"]), max_size=4)
TAGS = st.sampled_from(["1.2.3", "abcdef0", "a", "77", "latest", "x"])


@given(PATTERNS, PATTERNS, TAGS)
def test_a_tag_passes_just_when_none_denies_and_any_allows(allow, deny, tag):
    policy = Policy("p", rules=(Rule(1, ("**",), tags=TagRules(2, tuple(allow), tuple(deny))),))
    event = {
        "source": "aws.ecr",
        "detail-type": "ECR Image Action",
        "id": "1",
        "time": "2026-01-01T00:00:00Z",
        "account": "1",
        "region": "r",
        "detail": {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": "a",
            "image-digest": "d",
            "image-tag": tag,
        },
    }
    passes = not any(matches_tag(p, tag) for p in deny) and (
        not allow or any(matches_tag(p, tag) for p in allow)
    )
    assert isinstance(judge_push(parse_image_action(event), policy), Allowed if passes else Violation)


def test_judging_imports_no_aws_sdk():
    code = (
        "import sys, ecr_warden.domain.tag_rules, ecr_warden.adapters.eventbridge\n"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("tag", "detail", "reason"),
    [
        (None, {"action_type": "UPDATE_STORAGE_CLASS"}, "UPDATE_STORAGE_CLASS is not a push"),
        (None, {"result": "FAILURE"}, "the push ended as FAILURE"),
        (None, {}, "an untagged push breaks no tag rule"),
    ],
)
def test_the_reason_that_nothing_was_judged_is_true_of_the_event(judge, tag, detail, reason):
    assert judge(tag, **detail) == NotJudged(reason)
