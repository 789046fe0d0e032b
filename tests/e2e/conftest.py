"""The real `sam local`, in containers with the layers of `sam build`, against the local AWS."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from ecr_warden_cli.local.subjects import subjects_of

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
# Not where `sam deploy` looks: the policy of these tests must never be deployed.
BUILD = ROOT / ".build/e2e"
EVENTS = sorted(
    path for kind in ("image", "referrer") for path in (ROOT / "events").glob(f"ecr_{kind}_action_*.json")
)
SECONDS = 300


def sample(name, repository=None):
    """Give a sample event, or what would come of it in another repository."""
    text = (ROOT / "events" / f"{name}.json").read_text()
    if repository is None:
        return json.loads(text)
    (subject,) = subjects_of(json.loads(text))
    return json.loads(text.replace(subject.repository, repository)) | {"id": f"e2e-{repository}"}


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
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
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
        self.ecr = self.client("ecr")
        self._outcomes = []
        self._heard = []

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
        dynamodb = self.client("dynamodb")
        (name,) = [name for name in dynamodb.list_tables()["TableNames"] if f"-{table}-" in name]
        items = dynamodb.scan(TableName=name)["Items"]
        return [{key: next(iter(value.values())) for key, value in item.items()} for item in items]

    def outcomes(self, **fields):
        """Give the events in NotifyQueue, since the beginning, whose outcomes have these fields."""
        sqs = self.client("sqs")
        (url,) = [url for url in sqs.list_queues()["QueueUrls"] if "-NotifyQueue-" in url]
        self._outcomes += [json.loads(body) for body in _taken(sqs, url)]
        return [event for event in self._outcomes if event["detail"].items() >= fields.items()]

    def heard(self, word):
        """Give the messages with a word that people got, since the beginning."""
        sqs = self.client("sqs")
        bodies = _taken(sqs, sqs.get_queue_url(QueueName="ecr-warden-local-people")["QueueUrl"])
        self._heard += [json.loads(body)["Message"] for body in bodies]
        return [message for message in self._heard if word in message]

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
    """Take all messages out of a queue, and give their bodies."""
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message["Body"]


class Warm:
    """Functions of `sam local start-lambda`: their containers stay, and are started once."""

    def __init__(self, url):
        patient = Config(read_timeout=SECONDS, retries={"total_max_attempts": 1})
        self._client = _client("lambda", url, config=patient)

    def invoke(self, function, event):
        """Give what the function answers, or the error object of the Lambda runtime."""
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def tell(self, outcomes):
        """Give NotifyFunction a batch of what was in NotifyQueue."""
        records = [
            {"messageId": str(number), "receiptHandle": str(number), "body": json.dumps(outcome)}
            for number, outcome in enumerate(outcomes)
        ]
        assert self.invoke("NotifyFunction", {"Records": records}) == {"batchItemFailures": []}


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
            Path(sys.executable).parent / "ecr-warden",
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
            yield Local(json.loads(process.stdout.readline()))
        finally:
            process.terminate()


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
            yield Warm(f"http://127.0.0.1:{port}")
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
