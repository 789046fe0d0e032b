"""A server on loopback that answers as a test says, and remembers what it was asked."""

import ipaddress
import json
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Answer:
    """A status, a body (a text, or what becomes JSON) and headers; what to do before, and instead."""

    status: int = 200
    body: object = "ok"
    headers: dict = field(default_factory=dict)
    after_seconds: float = 0
    hangs_up: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict
    text: str

    @property
    def json(self):
        return json.loads(self.text)


@dataclass
class Server:
    """What it answers next, one a request, and then ``usual``; ``answer_to`` decides by the request."""

    port: int
    scheme: str = "http"
    answers: list = field(default_factory=list)
    usual: Answer = field(default_factory=Answer)
    asked: list = field(default_factory=list)
    answer_to: object = None

    def url(self, path="/"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def take(self, asked):
        """Remember a request, and give what to answer."""
        self.asked.append(asked)
        if self.answers:
            return self.answers.pop(0)
        return self.usual if self.answer_to is None else self.answer_to(asked)


@contextmanager
def http_server(*answers, usual=None, certificate=None, host="127.0.0.1"):
    """Run a server on a free port; with a certificate's file, which has its key as well, one of https."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self):
            try:
                super().handle()
            except (ConnectionError, ssl.SSLError):
                # Who asked has gone away, which is what the test is about.
                self.close_connection = True

        def _answer(self):
            length = int(self.headers.get("Content-Length", 0))
            text = self.rfile.read(length).decode()
            answer = server.take(Asked(self.command, self.path, dict(self.headers), text))
            time.sleep(answer.after_seconds)
            if answer.hangs_up:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET = do_PUT = _answer  # noqa: N815  # the base class's names

        def log_message(self, *_):
            pass

    class Http(ThreadingHTTPServer):
        def handle_error(self, *_):
            """Say nothing: a client that does not trust the certificate hangs up."""

    with Http((host, 0), Handler) as http:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
            scheme = "https"
        server = Server(http.server_address[1], scheme, list(answers), usual or Answer())
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def self_signed(folder, address="127.0.0.1"):
    """Write a certificate of an address that nobody else vouches for, with its key; give the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def closed_port():
    """Give a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def deaf_server():
    """Give a port that takes no connection in time: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            waiting = socket.socket()
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
            try:
                yield port
            finally:
                waiting.close()
