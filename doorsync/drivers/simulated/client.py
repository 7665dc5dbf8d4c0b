"""The HTTP and JSON of the sandbox's pretend controllers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from doorsync.drivers.errors import Full, Refused, Unknown
from doorsync.drivers.http import HttpClient
from doorsync.drivers.problems import NOT_JSON
from doorsync.drivers.simulated import problems

MAX_BYTES = 16 * 1024 * 1024  # tens of thousands of cards


class SimulatedClient:
    """Requests to one controller. Each raises Unreachable, Unknown, Refused or Full."""

    def __init__(self, url: str, seconds: float) -> None:
        self._http = HttpClient(url, seconds=seconds, max_bytes=MAX_BYTES)

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, body: Any = None, *, may_be_absent: bool = False) -> Any:
        """The answer's JSON; None for an empty one, or where the object is absent and may be."""
        status, _headers, content = self._http.request(method, path, json=body)
        if status == HTTPStatus.NOT_FOUND and may_be_absent:
            return None
        if status == HTTPStatus.INSUFFICIENT_STORAGE:
            raise Full(problems.FULL())
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(problems.REFUSED(answer=_error(content) or str(status)))
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unknown(problems.FAILED(status=status))
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise Unknown(NOT_JSON()) from error


@contextmanager
def understood() -> Iterator[None]:
    """Around the parsing of an answer: one of another shape comes from something else, and raises Unknown."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unknown(problems.UNFIT_ANSWER(error=type(error).__name__)) from error


def _error(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
