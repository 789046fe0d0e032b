"""What a command says where AWS cannot be asked at all: what is wrong, and what to do about it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from ecr_warden_cli.main import main

POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tag_mutability: {immutable: true}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(main, arguments)


class _Page(BaseHTTPRequestHandler):
    def do_POST(self):
        page = b"<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_arguments):
        """Say nothing on standard error."""


@pytest.fixture
def pages():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("command", ["plan", "report"])
def test_without_credentials_it_is_said_how_to_get_some(run, monkeypatch, tmp_path, command):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = run(command, "--region", "us-east-1")
    assert done.exit_code == 1
    assert "Unable to locate credentials. Set AWS_PROFILE" in done.output
    assert "aws sso login" in done.output


def test_where_nothing_answers_at_the_endpoint_it_is_asked_whether_it_is_running(run, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = run("plan", "--region", "us-east-1")
    assert done.exit_code == 1
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:1: is ecr-warden local" in done.output


def test_a_web_page_in_place_of_an_answer_is_one_line_and_no_traceback(run, monkeypatch, pages):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages)
    done = run("plan", "--region", "us-east-1")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    (said,) = [line for line in done.output.splitlines() if line.startswith("Error")]
    assert "a web page, which AWS never answers with" in said
    assert "<h1>" not in done.output


@pytest.mark.parametrize("before", [(), ("--region", "us-east-1")])
def test_what_can_be_no_region_is_wrong_usage_before_anything_is_asked(run, before):
    done = run("plan", *before, "--region", "xx-nowhere-9")
    assert done.exit_code == 2
    assert "xx-nowhere-9 is no Region that this version knows" in done.output


@pytest.mark.parametrize("region", ["eu-central-99", "us-gov-west-1", "cn-north-1"])
def test_a_region_newer_than_this_version_is_asked(run, monkeypatch, region):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = run("plan", "--region", region)
    assert done.exit_code == 1
    assert "asking whose credentials these are" in done.output
