"""A small HTTP server for the pretend services, on 127.0.0.1 only.

Why not werkzeug's: it closes the connection after every answer, so the portal's pooled sessions would never reuse one.
This one uses the standard library's wsgiref.
"""

import io
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from typing import IO, TYPE_CHECKING, cast
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

MAX_REQUEST_BYTES = 1024 * 1024


class _Answer(SimpleHandler):
    """One answer of the app. `finished` stays False if the app raised ConnectionAbortedError to hang up."""

    http_version = "1.1"
    os_environ: dict[str, str] = {}  # not the process's own, which holds the token
    finished = False

    def close(self) -> None:
        self.finished = True
        super().close()


class _RequestHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two an answer leaves in several small packets, and a kept-alive client waits 40 ms for
    # the second one (Nagle's algorithm against delayed acknowledgement).
    disable_nagle_algorithm = True
    wbufsize = -1

    server: "LocalServer"

    def handle(self) -> None:
        """Serve requests on this connection until either side closes it."""
        # wsgiref's own handle() serves one request; the class above it knows keep-alive.
        try:
            BaseHTTPRequestHandler.handle(self)
        except ConnectionError:
            self.close_connection = True  # the client closed it

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.send_error(411)
        elif int(length) > MAX_REQUEST_BYTES:
            self.send_error(413)
        else:
            # Read whole before answering: bytes that the app left unread would be parsed as the next request.
            body = io.BytesIO(self.rfile.read(int(length)))
            answer = _Answer(body, cast("IO[bytes]", self.wfile), sys.stderr, self.get_environ(), multiprocess=False)
            answer.run(self.server.application_of_all)
            if not answer.finished:
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (http.server's names)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that cannot be read, and close: the start of the next one is unknown."""
        super().send_error(code, message, explain)
        self.close_connection = True

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Log nothing: the portal's own log has the requests."""


class LocalServer(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per connection, keep-alive, bound to 127.0.0.1.

    `port` 0 lets the system choose; `server_port` is the port. Raises OSError if the port is taken.
    """

    daemon_threads = True
    request_queue_size = 1024
    # Otherwise close() waits for every connection, including those that a client keeps open.
    block_on_close = False

    def __init__(self, application: "WSGIApplication", port: int = 0) -> None:
        self.application_of_all = application
        super().__init__(("127.0.0.1", port), _RequestHandler)
