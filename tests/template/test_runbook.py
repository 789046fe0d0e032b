"""The runbook is true: a section for each alarm, and commands that AWS's own models know."""

import re
import shlex

import botocore.session
import pytest
from botocore import xform_name
from built import ALARMS, QUEUES, ROOT, TEMPLATE
from click.testing import CliRunner

from ecr_warden.domain.exemption import EXEMPT_TAG
from ecr_warden_cli.main import main

RUNBOOK = (ROOT / "docs/runbook.md").read_text()
SECTIONS = re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)
HOW_TOS = [
    "An image was quarantined",
    "An image in use fails the gate",
    "Who pushed is missing",
    "Take a quarantine back",
    "Take a setting back",
    "Remove ECR Warden",
]
NAMED_BY_ALARMS = {
    name: re.findall(r'See docs/runbook\.md, "([^"]+)"\.$', alarm["AlarmDescription"])
    for name, alarm in ALARMS.items()
}

BLOCKS = re.findall(r"^ *```sh\n(.*?)^ *```$", RUNBOOK, re.MULTILINE | re.DOTALL)
LINES = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
# A call of the AWS CLI, to the end of its line or of what it stands in.
CALLS = sorted({call for line in LINES for call in re.findall(r"(?<!-)aws [a-z].*", line)})
# Parts of the AWS CLI that are no operation of a service.
CUSTOM_COMMANDS = {("logs", "tail"): {"--since", "--filter-pattern"}, ("s3", "cp"): set()}
GLOBAL_OPTIONS = {"--query", "--output"}
# The CLI's own, of an operation that comes in pages.
PAGING_OPTIONS = {"--max-items"}
OWN_COMMAND = ".venv/bin/ecr-warden "


def test_every_alarm_has_a_section_of_its_own_and_every_other_section_is_a_how_to():
    assert all(len(titles) == 1 for titles in NAMED_BY_ALARMS.values()), NAMED_BY_ALARMS
    assert sorted(SECTIONS) == sorted([title for (title,) in NAMED_BY_ALARMS.values()] + HOW_TOS)


@pytest.mark.parametrize("title", re.findall(r'\("([^"\n]+)"\)|see "([^"\n]+)"', RUNBOOK))
def test_a_section_that_another_one_names_is_there(title):
    assert "".join(title) in SECTIONS


@pytest.mark.parametrize("output", sorted(set(re.findall(r"\$\(output (\w+)\)", RUNBOOK))))
def test_an_output_that_a_command_takes_is_the_stacks(output):
    assert output in TEMPLATE.document["Outputs"]


@pytest.mark.parametrize("queue", sorted(set(re.findall(r"\b\w+Queue\b", RUNBOOK))))
def test_a_queue_that_the_text_names_is_the_stacks(queue):
    assert queue in QUEUES


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_the_aws_command_is_one_that_aws_takes(call):
    options = set(re.findall(r"(?<=\s)--[a-z-]+", re.sub(r"\"\$\((jq|output) [^)]*\)\"", "…", call)))
    _, service, operation = shlex.split(re.match(r"aws \S+ [a-z-]+", call)[0])
    if (service, operation) in CUSTOM_COMMANDS:
        assert options <= CUSTOM_COMMANDS[service, operation]
        return
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[operation]).input_shape
    known = {f"--{xform_name(member, '-')}": member for member in shape.members}
    paging = PAGING_OPTIONS if "nextToken" in shape.members else set()
    assert options - GLOBAL_OPTIONS - paging <= known.keys()
    assert set(shape.required_members) <= {known[option] for option in options & known.keys()}


@pytest.mark.parametrize(
    "call", sorted({line.removesuffix(" &&") for line in LINES if line.startswith(OWN_COMMAND)})
)
def test_a_call_of_the_products_command_is_one_that_it_takes(call):
    name = call.removeprefix(OWN_COMMAND).split()[0]
    listed = CliRunner().invoke(main.commands[name], ["--help"]).output
    assert set(re.findall(r"--[a-z-]+", call)) <= set(re.findall(r"--[a-z-]+", listed))


def test_the_exemption_is_the_one_that_the_function_reads():
    assert set(re.findall(r"Key=(ecr-warden:\w+),Value=(\w+)", RUNBOOK)) == {
        (EXEMPT_TAG, "tags"),
        (EXEMPT_TAG, "scan_gate"),
    }
