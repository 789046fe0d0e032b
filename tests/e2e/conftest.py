"""The real `sam local`, in containers with the layers of `sam build`, against the local AWS."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from botocore.config import Config

from ecr_warden.adapters.sweep_store import SweepStore
from ecr_warden_cli.local.subjects import subjects_of

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
# Not where `sam deploy` looks: the policy of these tests must never be deployed.
BUILD = ROOT / ".build/e2e"
EVENTS = sorted(
    path for kind in ("image", "referrer") for path in (ROOT / "events").glob(f"ecr_{kind}_action_*.json")
)
SECONDS = 300
BIN = Path(sys.executable).parent
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


def _at_home(text):
    """Let an event come from where the functions run: any other place takes a member role."""
    event = json.loads(text)
    return text.replace(event["account"], ACCOUNT).replace(event["region"], KEYS["AWS_DEFAULT_REGION"])


def sample(name, repository=None):
    """Give a sample event, or what would come of it in another repository."""
    text = _at_home((ROOT / "events" / f"{name}.json").read_text())
    if repository is None:
        return json.loads(text)
    (subject,) = subjects_of(json.loads(text))
    return json.loads(text.replace(subject.repository, repository)) | {"id": f"e2e-{repository}"}


def outcome(repository, **detail):
    """Give an outcome's event as it is on the bus, of a push into a repository."""
    event = sample("ecr_warden_outcome_tag_violation")
    event["detail"] |= {"id": f"outcome-{repository}", "repository": repository, **detail}
    return event


TEN_CRITICALS = sample("ecr_image_scan_complete", "e2e/scan/quarantine")
FINDING = sample("inspector2_finding_ecr_2021", "e2e/scan/notify")
# The images of these events are in the registry, with what the events say that scanners found.
SEEDED = [
    TEN_CRITICALS,
    FINDING,
    *map(
        sample,
        (
            "ecr_image_scan_failed",
            "inspector2_coverage_ecr_unsupported",
            "inspector2_finding_ecr",
            "inspector2_finding_ecr_2021",
            "inspector2_finding_ecr_closed",
            "inspector2_finding_ecr_suppressed",
            "inspector2_scan_critical",
        ),
    ),
]


def _sam_local(command, *arguments):
    """Give a `sam local` command, and its environment."""
    parts = [SAM, "local", command, *arguments, "--template", BUILD / "local.yaml"]
    if image := os.environ.get("SAM_INVOKE_IMAGE"):
        parts += ["--invoke-image", image, "--skip-pull-image"]
    environment = {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        **KEYS,
    }
    return parts, environment


def _client(service, url, **arguments):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        **arguments,
    )


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture(scope="session", autouse=True)
def docker():
    if not _output("docker", "info", "--format", "{{.ServerVersion}}"):
        pytest.skip("no Docker engine answers: sam local runs functions in containers")


@pytest.fixture(scope="session")
def built():
    environment = {**os.environ, "POLICY": "tests/e2e/policy.yaml", "SAM_CLI_TELEMETRY": "0"}
    subprocess.run(
        [SAM, "build", "--build-dir", BUILD], cwd=ROOT, env=environment, check=True, timeout=SECONDS
    )


class Local:
    """The local AWS of `ecr-warden local`, whose events are left to the containers."""

    def __init__(self, ready):
        self.url = ready["endpoint_url"]
        self.host = urlsplit(self.url).hostname
        self.ecr = self.client("ecr")
        resources = self.client("cloudformation").describe_stack_resources(StackName="ecr-warden")
        self._physical = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in resources["StackResources"]
        }
        self._outcomes = []
        self._wake_ups = []
        self._published = _Subscriber(self, self._physical["OutcomeTopic"])
        self._chat = _Subscriber(self, self._physical["ChatTopic"])

    def client(self, service):
        return _client(service, self.url)

    def tags(self, repository):
        images = self.ecr.describe_images(repositoryName=repository)["imageDetails"]
        return {image["imageDigest"]: sorted(image.get("imageTags", [])) for image in images}

    def status(self, repository):
        """Give the state of the one image that a repository has, archived or not."""
        found = self.ecr.describe_images(repositoryName=repository, filter={"imageStatus": "ANY"})
        (image,) = found["imageDetails"]
        return image["imageStatus"]

    def items(self, table):
        """Give what a table of the stack has, its values without their types."""
        items = self.client("dynamodb").scan(TableName=self._physical[table])["Items"]
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in items]

    def outcomes(self, **fields):
        """Give the events in NotifyQueue, since the beginning, whose outcomes have these fields."""
        self._read_notify_queue()
        return [event for event in self._outcomes if event["detail"].items() >= fields.items()]

    def wake_up(self, channel):
        """Wait for the message that wakes a channel; give it, and the seconds for which it was held back."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self._read_notify_queue()
            for place, (body, delay) in enumerate(self._wake_ups):
                if body["wake"] == channel:
                    del self._wake_ups[place]
                    return body, delay
            time.sleep(0.05)
        return pytest.fail(f"nothing wakes {channel}")

    def _read_notify_queue(self):
        for message in _taken(self.client("sqs"), self._physical["NotifyQueue"]):
            body = json.loads(message["Body"])
            if "wake" in body:
                sent, came = (
                    int(message["Attributes"][name]) / 1000
                    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp")
                )
                self._wake_ups.append((body, came - sent))
            else:
                self._outcomes.append(body)

    def published(self, word):
        """Give what with a word was published for machines, since the beginning, by a subscriber's queue."""
        return self._published.heard(word)

    def chat(self, word):
        """Give the texts with a word that people read in their chat, since the beginning."""
        return [said["content"]["description"] for said in self._chat.heard(word)]

    def deliveries(self, outcome_id):
        """Give what became of an outcome in each of its channels."""
        items = self.items("DeliveryTable")
        return {item["channel"]: item["status"] for item in items if item["outcome_id"] == outcome_id}

    def waiting(self, channel):
        """Give what waits in a channel, as NotifyFunction keeps it."""
        items = self.items("OutboxTable")
        return [item["waiting"] for item in items if item["channel"] == channel and "waiting" in item]

    def secret(self, name):
        """Give what a secret holds."""
        return self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]

    def sweep_store(self):
        """Give what the sweep's functions keep in their bucket."""
        return SweepStore(self.client("s3"), self._physical["ReportBucket"])

    def redrive(self, *arguments):
        """Give what `ecr-warden redrive` prints, run on this AWS."""
        environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": self.url}
        return subprocess.run(
            [BIN / "ecr-warden", "redrive", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    def invoke(self, function, event):
        """Give what the function answers, or the error object of the Lambda runtime."""
        command, environment = _sam_local("invoke", function, "--event", "-")
        done = subprocess.run(
            command,
            input=json.dumps(event),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert answers, done.stdout + done.stderr
        return json.loads(answers[-1])


def _taken(sqs, url):
    """Take all messages out of a queue, and give them."""
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
        "Messages"
    ):
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message


class _Subscriber:
    """A queue that subscribes to a topic."""

    def __init__(self, local, topic_arn):
        self._sqs = local.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"e2e-{topic_arn.rpartition(':')[2]}"[:80])["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        local.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
        self._heard = []

    def heard(self, word):
        """Give the messages with a word that came, since the beginning."""
        self._heard += [json.loads(message["Body"])["Message"] for message in _taken(self._sqs, self._url)]
        return [json.loads(message) for message in self._heard if word in message]


class Warm:
    """Functions of `sam local start-lambda`: their containers stay, and are started once."""

    def __init__(self, url, log):
        self._log = log
        patient = Config(read_timeout=SECONDS, retries={"total_max_attempts": 1})
        self._client = _client("lambda", url, config=patient)

    def invoke(self, function, event):
        """Give what the function answers, or the error object of the Lambda runtime."""
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def log(self):
        """Give all that the containers logged."""
        return self._log.read_text()

    def deliver(self, bodies):
        """Give NotifyFunction a batch of what was in NotifyQueue."""
        records = [
            {"messageId": str(number), "receiptHandle": str(number), "body": json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
        assert self.invoke("NotifyFunction", {"Records": records}) == {"batchItemFailures": []}

    def tell(self, outcomes):
        """Give NotifyFunction events of outcomes by themselves, as people do: they are told at once."""
        for outcome in outcomes:
            assert self.invoke("NotifyFunction", outcome) == {"batchItemFailures": []}


@pytest.fixture(scope="session")
def local(request, tmp_path_factory):
    request.getfixturevalue("built")
    host = os.environ.get("SAM_HOST_IP") or _output(
        "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"
    )
    folder = tmp_path_factory.mktemp("seeds")
    seeds = [folder / f"{number}.json" for number in range(len(SEEDED))]
    for path, event in zip(seeds, SEEDED, strict=True):
        path.write_text(json.dumps(event))
    command = [
        *(
            BIN / "ecr-warden",
            "local",
            "--json",
            "--no-react",
            "--host",
            host,
            "--port",
            "0",
        ),
        *("--policy", "tests/e2e/policy.yaml", "--sam-template", BUILD / "local.yaml"),
        *(part for path in seeds for part in ("--seed", path)),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = json.loads(process.stdout.readline())
            _leave_time_zones_to_the_layer()
            yield Local(ready)
        finally:
            process.terminate()


def _leave_time_zones_to_the_layer():
    """Hide the zones that an image may have of its own: Lambda's has none that one could rely on."""
    path = BUILD / "local.yaml"
    template = yaml.safe_load(path.read_text())
    template["Resources"]["NotifyFunction"]["Properties"]["Environment"]["Variables"]["PYTHONTZPATH"] = (
        "/nowhere"
    )
    path.write_text(yaml.safe_dump(template, sort_keys=False))


@pytest.fixture(scope="session")
def warm(local, tmp_path_factory):
    assert local.url
    log = tmp_path_factory.mktemp("sam") / "start-lambda.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, environment = _sam_local("start-lambda", "--warm-containers", "LAZY", "--port", str(port))
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            _wait_for(process, port, log)
            yield Warm(f"http://127.0.0.1:{port}", log)
        finally:
            # It takes its containers with it.
            process.terminate()


def _wait_for(process, port, log):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"sam local start-lambda does not listen: {log.read_text()}")
