"""The HTTP session against real sockets that misbehave: the type and code of each error, and whether it was sent."""

import gzip
import hashlib
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from urllib3.connection import HTTPConnection
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from portal.core.http import (
    BadCertificate,
    Deadline,
    HttpError,
    HttpSession,
    NoAnswer,
    NotReached,
    TooLong,
    TooSlow,
    normal_fingerprint,
    session,
)

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("127.0.0.1")
SECRET = "/secret-path"
OK = b"HTTP/1.1 200 OK\r\n"


def new_session(**changes: Any) -> HttpSession:
    return HttpSession(**{"timeout": (2, 0.3), "deadline": 2, "max_bytes": 1000, **changes})


@contextmanager
def listening(serve: Callable[[socket.socket, threading.Event], object], *, tls: bool = False) -> Iterator[str]:
    """The address of a server that does `serve(connection, stop)` with each connection."""
    stop = threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) if tls else connection as open_connection:
                        serve(open_connection, stop)
                except OSError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answering(content: bytes, *, then_silent: bool = False) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, stop: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(content)
        if then_silent:
            stop.wait(10)

    return serve


def dribbling(opening: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, stop: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(opening)
        while not stop.wait(0.01):
            connection.sendall(b"1")

    return serve


def failure(url: str, error: type[HttpError], code: str, *, sent: bool, **changes: Any) -> HttpError:
    with new_session(**changes) as http, pytest.raises(error) as caught:
        http.request("POST", f"{url}{SECRET}", data=b"{}")
    assert type(caught.value) is error
    assert caught.value.problem.key == code
    assert caught.value.sent is sent
    # Whoever logs it logs no secret of the address.
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_an_answer_of_any_status() -> None:
    with listening(answering(b"HTTP/1.1 503 Down\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate")) as url:
        answer = new_session().request("GET", url)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"late")


def test_nothing_was_sent_to_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}", NotReached, "http.refused", sent=False)
    assert f"127.0.0.1:{port}" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_was_sent_to_an_unknown_host(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    def unknown(*_args: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    failure(f"{scheme}://offision.invalid", NotReached, "http.unknown_host", sent=False)


@pytest.mark.parametrize("url", ["http://", "http://a..b", "gopher://127.0.0.1", "http://127.0.0.1:99999"])
def test_nothing_was_sent_to_an_unusable_address(url: str) -> None:
    failure(url, NotReached, "http.no_connection", sent=False)


def test_nothing_was_sent_where_no_network_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_args: Any) -> None:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    failure("http://127.0.0.1:1", NotReached, "http.no_connection", sent=False)


def test_nothing_was_sent_where_connecting_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_args: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", silent)
    failure("http://127.0.0.1:1", NotReached, "http.connect_timed_out", sent=False)


def test_nothing_was_sent_where_tls_got_no_answer() -> None:
    with listening(lambda connection, stop: stop.wait(10)) as url:
        tls_url = url.replace("http:", "https:")
        failure(tls_url, NotReached, "http.connect_timed_out", sent=False, timeout=(0.1, 5), deadline=5)


def test_nothing_is_sent_when_connecting_took_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    connect = HTTPConnection.connect

    def slow(connection: Any) -> None:
        connect(connection)
        session._Exchange._of_thread.exchange.expire()

    monkeypatch.setattr(HTTPConnection, "connect", slow)
    with listening(lambda connection, stop: received.append(connection.recv(65536))) as url:
        failure(url, NotReached, "http.connect_timed_out", sent=False)
    assert not any(received)


def test_nothing_was_sent_to_an_untrusted_certificate() -> None:
    with listening(answering(OK + b"Content-Length: 0\r\n\r\n"), tls=True) as url:
        failure(url, BadCertificate, "http.untrusted", sent=False)


def test_a_certificate_for_another_name_is_untrusted(tmp_path: Any) -> None:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listening(answering(OK + b"Content-Length: 2\r\n\r\nhi"), tls=True) as url:
        assert new_session(ca_file=str(tmp_path / "ca.pem")).request("GET", url).body == b"hi"
        other = url.replace("127.0.0.1", "localhost")
        error = failure(other, BadCertificate, "http.untrusted", sent=False, ca_file=str(tmp_path / "ca.pem"))
    assert "localhost" in str(error)


def test_the_fingerprint_alone_decides() -> None:
    der = ssl.PEM_cert_to_DER_cert(CERTIFICATE.cert_chain_pems[0].bytes().decode())
    right = hashlib.sha256(der).hexdigest()
    received: list[bytes] = []

    def serve(connection: socket.socket, stop: threading.Event) -> None:
        received.append(connection.recv(65536))
        connection.sendall(OK + b"Content-Length: 2\r\n\r\nhi")

    with listening(serve, tls=True) as url:
        failure(url, BadCertificate, "http.wrong_fingerprint", sent=False, fingerprint="00" * 32)
        assert b"POST" not in b"".join(received)
        assert new_session(fingerprint=right.upper()).request("GET", url).body == b"hi"


def test_a_port_without_tls() -> None:
    with listening(answering(b"SSH-2.0-OpenSSH\r\n")) as url:
        failure(url.replace("http:", "https:"), NotReached, "http.tls_failed", sent=False)


def test_a_server_that_closes_may_have_received_the_request() -> None:
    with listening(answering(b"")) as url:
        error = failure(url, NoAnswer, "http.broke_off", sent=True)
    assert error.answer is None


def test_a_body_that_breaks_off_keeps_its_status() -> None:
    with listening(answering(b"HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\npart")) as url:
        error = failure(url, NoAnswer, "http.broke_off", sent=True)
    assert error.answer is not None
    assert error.answer.status == 401


def test_a_silent_server_times_out() -> None:
    with listening(answering(b"", then_silent=True)) as url:
        failure(url, NoAnswer, "http.timed_out", sent=True, timeout=(2, 0.05))


def test_a_server_that_falls_silent_in_the_body_times_out() -> None:
    with listening(answering(OK + b"Content-Length: 100\r\n\r\npart", then_silent=True)) as url:
        failure(url, NoAnswer, "http.timed_out", sent=True, timeout=(2, 0.05))


@pytest.mark.parametrize(
    "opening",
    [
        pytest.param(OK + b"Content-Length: 1000000\r\n\r\n", id="body"),
        pytest.param(OK + b"\r\n", id="body without a length"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n", id="chunk header"),
        pytest.param(OK + b"X-Long: ", id="headers"),
    ],
)
def test_a_dribbling_server_holds_no_thread(opening: bytes) -> None:
    """Without the deadline this test would never end: each byte restarts the read time-out."""
    with listening(dribbling(opening)) as url:
        failure(url, TooSlow, "http.timed_out", sent=True, deadline=0.15)


def test_a_dribbling_server_over_tls_holds_no_thread(tmp_path: Any) -> None:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listening(dribbling(OK + b"\r\n"), tls=True) as url:
        failure(url, TooSlow, "http.timed_out", sent=True, deadline=0.3, ca_file=str(tmp_path / "ca.pem"))


def test_a_request_may_have_less_time_than_the_session() -> None:
    with listening(dribbling(OK + b"\r\n")) as url, pytest.raises(TooSlow):
        new_session(deadline=60).request("GET", url, deadline=0.1)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_long_body_is_not_read_to_its_end(encoding: str) -> None:
    body = gzip.compress(b" " * 50_000_000) if encoding == "gzip" else b"x" * 200_000
    head = f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with listening(answering(OK + head + body)) as url:
        error = failure(url, TooLong, "http.too_long", sent=True)
    assert error.answer is not None
    assert error.answer.status == 200
    assert len(error.answer.body) <= 1000 + session._CHUNK_BYTES


def test_another_protocol_answers() -> None:
    with listening(answering(b"SSH-2.0-OpenSSH_9.9\r\n")) as url:
        failure(url, NoAnswer, "http.not_http", sent=True)


def test_redirects_cookies_and_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[dict[str, str]] = []

    def application(environ: Any, start_response: Any) -> Any:
        received.append(dict(Request(environ).headers))
        answer = Response(status=302, headers={"Location": "http://elsewhere.example/", "Set-Cookie": "a=b"})
        return answer(environ, start_response)

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = make_server("127.0.0.1", 0, application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with new_session() as http:
            assert [http.request("GET", f"http://127.0.0.1:{server.port}/").status for _time in range(2)] == [302, 302]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert all("Cookie" not in headers for headers in received)


def test_an_idle_connection_that_is_gone_is_opened_anew() -> None:
    """What fails then is the new connection, and nothing was sent."""
    with new_session() as http:
        with listening(answering(OK + b"Content-Length: 2\r\n\r\nhi")) as url:
            assert http.request("GET", url).body == b"hi"
        with pytest.raises(NotReached):
            http.request("GET", url)


@pytest.mark.parametrize("text", ["", "12", "zz" * 32, "ab" * 20])
def test_no_fingerprint(text: str) -> None:
    with pytest.raises(ValueError, match="64"):
        normal_fingerprint(text)


def test_a_fingerprint_with_colons() -> None:
    assert normal_fingerprint(":".join(["AB"] * 32)) == "ab" * 32


def test_a_deadline_that_passed_shuts_a_later_connection() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(60) as deadline:
        deadline.expire()
        deadline.watch(ours)
        assert theirs.recv(1) == b""


def test_a_deadline_that_ended_shuts_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with Deadline(60) as deadline:
            deadline.watch(ours)
        deadline.expire()
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"
        assert not deadline.expired
