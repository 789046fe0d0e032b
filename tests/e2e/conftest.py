"""The real `sam local invoke`, in a container with the layers of `sam build`, against the local AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam/bin/sam"
# Not where `sam deploy` looks: the policy of these tests must never be deployed.
BUILD = ROOT / ".build/e2e"
EVENTS = sorted(
    path for kind in ("image", "referrer") for path in (ROOT / "events").glob(f"ecr_{kind}_action_*.json")
)
SECONDS = 300


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

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def tags(self, repository):
        images = self.ecr.describe_images(repositoryName=repository)["imageDetails"]
        return {image["imageDigest"]: sorted(image.get("imageTags", [])) for image in images}

    def queue(self, name):
        urls = self.client("sqs").list_queues()["QueueUrls"]
        (url,) = [url for url in urls if f"-{name}-" in url]
        return url

    def invoke(self, function, event):
        """Give what the function answers, or the error object of the Lambda runtime."""
        command = [SAM, "local", "invoke", function, "--template", BUILD / "local.yaml", "--event", "-"]
        if image := os.environ.get("SAM_INVOKE_IMAGE"):
            command += ["--invoke-image", image, "--skip-pull-image"]
        environment = {
            **os.environ,
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
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


@pytest.fixture(scope="session")
def local(request):
    request.getfixturevalue("built")
    host = os.environ.get("SAM_HOST_IP") or _output(
        "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"
    )
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
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Local(json.loads(process.stdout.readline()))
        finally:
            process.terminate()
