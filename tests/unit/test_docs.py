"""What the documents name is there, and what is there is named."""

import inspect
import re
from datetime import date
from pathlib import Path

import pytest

from ecr_warden.adapters.signed_webhook import is_genuine
from ecr_warden_cli.main import main
from ecr_warden_cli.policy.check import check_policy

ROOT = Path(__file__).parents[2]
MODULE_FOLDERS = ("layers", "functions", "cli")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# A changelog speaks of what was.
USER_DOCUMENTS = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]


def named(paths):
    return pytest.mark.parametrize("document", paths, ids=lambda path: str(path.relative_to(ROOT)))


def code(text):
    """Give what stands in code: lines of blocks, fenced or indented, without comments, and inline spans."""
    is_fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    "):
            yield line.partition(" #")[0].strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def run_in(text, program):
    """Give the first arguments, in lower case as commands and targets are, of a program's runs."""
    variable = r"[A-Z]+=\S+ "
    run = re.compile(
        rf"(?:^|[;&|$] *)(?:{variable})*(?:\.venv/bin/)?{program} (?:{variable})*([a-z][a-z0-9-]*)"
    )
    return {name for line in code(text) for name in run.findall(line)}


def modules_on_the_map():
    folder = None
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        if heading := re.fullmatch(r"### `(.+/)`", line):
            folder = heading[1]
        elif folder and (row := re.match(r"\| `([^`]+)` \|", line)):
            yield f"{folder}{row[1]}.py"


def test_the_map_of_the_architecture_has_every_module_once_and_no_other():
    modules = [
        str(path.relative_to(ROOT))
        for folder in MODULE_FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(modules_on_the_map()) == sorted(modules)


@named(USER_DOCUMENTS)
def test_a_command_that_a_document_names_is_there(document):
    assert run_in(document.read_text(), "ecr-warden") <= set(main.commands)


@named(USER_DOCUMENTS)
def test_a_make_target_that_a_document_names_is_there(document):
    targets = set(re.findall(r"^([a-z0-9-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert run_in(document.read_text(), "make") <= targets


def anchors(document):
    """Give the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@named(DOCUMENTS)
def test_a_link_within_the_repository_leads_somewhere(document):
    links = re.findall(r"\]\((?!https?:)([^)\s]*?)(?:#([^)\s]+))?\)", document.read_text())
    targets = [(document.parent / path if path else document, anchor) for path, anchor in links]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [anchor for target, anchor in targets if anchor and anchor not in anchors(target)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`ecr-warden check policy.yaml`", {"check"}),
        ("    PYTHON=python3.13 .venv/bin/ecr-warden check && ecr-warden explain a:b", {"check", "explain"}),
        ("```\n$ ecr-warden replay x.json  # ecr-warden plan\n```", {"replay"}),
        ("the ecr-warden command, its secret `ecr-warden/slack` and `--stack-name ecr-warden`", set()),
    ],
)
def test_commands_are_found_in_code_alone(text, found):
    assert run_in(text, "ecr-warden") == found


def test_decisions_are_numbered_without_gaps():
    numbers = [path.name[:4] for path in sorted((ROOT / "docs/adr").glob("*.md"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_a_decisions_title_has_the_number_of_its_file():
    for path in (ROOT / "docs/adr").glob("*.md"):
        assert path.read_text().startswith(f"# {int(path.name[:4])}. "), path.name


def test_the_policy_in_the_guide_to_telling_is_valid():
    (policy,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/telling.md").read_text(), re.DOTALL)
    assert check_policy(policy, "docs/telling.md", today=date(2026, 11, 24)).problems == ()


def test_the_receiver_in_the_guide_to_telling_is_the_one_that_is_tested():
    assert inspect.getsource(is_genuine) in (ROOT / "docs/telling.md").read_text()


def test_the_policy_in_the_readme_is_valid():
    policy, section = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert check_policy(policy, "README.md", today=date(2026, 11, 24)).problems == ()
    # The section is shown by itself: here it stands in the policy's last rule.
    whole = policy.replace("exceptions:", f"{section}exceptions:", 1)
    problems = check_policy(whole, "README.md", today=date(2026, 11, 24)).problems
    assert [problem.message for problem in problems if problem.severity == "error"] == []
