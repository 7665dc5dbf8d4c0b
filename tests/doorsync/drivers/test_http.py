"""Every family that speaks HTTP: whether a request was sent decides between Unreachable and Unknown."""

import socket
import ssl
import threading
from contextlib import suppress
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme

from doorsync.drivers.base import Driver, DriverError, Unknown, Unreachable
from doorsync.drivers.hikvision.driver import HikvisionDriver
from doorsync.drivers.simulated.driver import SimulatedDriver
from doorsync.drivers.unifi.driver import UnifiDriver
from doorsync.drivers.webhook.driver import WebhookDriver
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.peers.webhook import SECRET

FAMILIES: dict[type[Driver], dict[str, Any]] = {
    SimulatedDriver: {},
    HikvisionDriver: {"username": "portal", "password": "x"},
    UnifiDriver: {"token": "x", "fingerprint": "ab" * 32},
    WebhookDriver: {"secret": SECRET},
}

each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


CERTIFICATE = trustme.CA().issue_cert("127.0.0.1")
FINGERPRINT = sha256(ssl.PEM_cert_to_DER_cert(CERTIFICATE.cert_chain_pems[0].bytes().decode())).hexdigest()


def error_of(family: type[Driver], url: str, **more: Any) -> DriverError:
    options = {**FAMILIES[family], "url": url, "timeout_seconds": 0.5, **more}
    driver = family(options, zone=ZoneInfo("Europe/London"), now=NOW)
    with pytest.raises(DriverError) as caught:
        driver.info()
    driver.close()
    return caught.value


class HangsUp:
    """A server, with TLS or without, that reads one request and closes the connection."""

    def __init__(self, scheme: str) -> None:
        self.requests: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if scheme == "https" else None
        if self._context is not None:
            CERTIFICATE.configure_cert(self._context)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "HangsUp":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        """The first connection. A client that distrusts the certificate ends it before its request."""
        connection, _address = self._socket.accept()
        with connection, suppress(OSError):
            secure = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            with secure:
                self.requests.append(secure.recv(65536))


@each_family
def test_an_unknown_host_is_unreachable(family, monkeypatch):
    def fails(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    error = error_of(family, "https://controller.example")
    assert isinstance(error, Unreachable)
    assert error.problem.code == "http.unknown_host"


@each_family
def test_a_closed_port_is_unreachable(family):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert isinstance(error_of(family, f"https://127.0.0.1:{port}"), Unreachable)


@each_family
def test_an_untrusted_certificate_is_unreachable_and_gets_no_request(family):
    with HangsUp("https") as server:
        error = error_of(family, server.url)
    assert isinstance(error, Unreachable)
    assert error.problem.key in (
        "http.untrusted",
        "http.wrong_fingerprint",
        "hikvision.fingerprint_needed(http.untrusted)",
    )
    assert not any(server.requests)


@each_family
def test_a_connection_that_breaks_after_the_request_is_unknown(family):
    pinned = "fingerprint" in family.Options.model_fields
    with HangsUp("https" if pinned else "http") as server:
        error = error_of(family, server.url, **({"fingerprint": FINGERPRINT} if pinned else {}))
    assert isinstance(error, Unknown)
    assert any(server.requests)
