"""A small real HTTP server with the answers of a test."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Answer = Response | Callable[[Request], Response]


@dataclass
class Server:
    """Answers by (method, path); what is not listed gets 404. Every request is kept in `seen`."""

    url: str = ""
    answers: dict[tuple[str, str], Answer | list[Answer]] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], dict[str, str], bytes]] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        raw_path = environ["REQUEST_URI"].split("?")[0]
        self.seen.append((request.method, raw_path, dict(request.args), dict(request.headers), request.get_data()))
        answer = self.answers.get((request.method, raw_path), Response(status=404))
        if isinstance(answer, list):  # one after the other, the last again and again
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        response = answer if isinstance(answer, Response) else answer(request)
        return response(environ, start_response)


def say(payload: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    return Response(json.dumps(payload), status=status, headers=headers, content_type="application/json")


def page_of(items: list[Any], page: int = 1, count: int = 1) -> Response:
    """A list answer in the shipped contract's envelope."""
    return say({"success": True, "data": {"items": items, "page": page, "pageCount": count}})


class _Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[Server]:
    """A server on a free port of this machine, for as long as the block runs."""
    server = Server()
    http = make_server("127.0.0.1", 0, server, threaded=True, request_handler=_Quiet)
    server.url = f"http://127.0.0.1:{http.port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
