"""The console's developer API of UniFi Access: requests, and the envelopes of its answers.

Written from Ubiquiti's API reference (1.9.1 to 4.0.10): HTTPS on port 12445, a bearer token, and every answer in an
envelope {"code": "SUCCESS", "msg": …, "data": …}. Refusals come inside of HTTP 200 as well, so the code decides.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from doorsync.drivers.errors import Refused, Unknown
from doorsync.drivers.http import HttpClient
from doorsync.drivers.unifi import problems

API = "/api/v1/developer/"
MAX_BYTES = 16 * 1024 * 1024
PAGE_SIZE = 200  # a few thousand users are some requests; a console may give fewer at a time
MAX_PAGES = 200

# The reference's own sample of the list of schedules says SUCCEED.
_SUCCESS = ("SUCCESS", "SUCCEED")
_BAD_TOKEN = ("CODE_AUTH_FAILED", "CODE_ACCESS_TOKEN_INVALID")
_NOT_FOUND = (
    "CODE_NOT_EXISTS",
    "CODE_RESOURCE_NOT_FOUND",
    "CODE_NOT_FOUND",
    "CODE_USER_ACCOUNT_NOT_EXIST",
    "CODE_USER_WORKER_NOT_EXISTS",
)


class NotFound(Refused):
    """The requested object does not exist."""


class UnifiClient:
    """Requests to one console. Each raises Unreachable, Unknown or Refused, is made once, and ends in time."""

    def __init__(self, url: str, token: SecretStr, fingerprint: str, seconds: float) -> None:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self._http = HttpClient(url, seconds=seconds, max_bytes=MAX_BYTES, fingerprint=fingerprint, headers=headers)
        self.moment: datetime | None = None  # the console's clock (aware) at its last answer; None where it sent none

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        return self._request("GET", path, query).get("data")

    def change(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        return self._request(method, path, query, body).get("data")

    def everything(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """A list to its end, page by page; `key` identifies an entry. Raises Unknown where the list is incomplete:
        it would look as if cards were gone."""
        rows: dict[str, dict[str, Any]] = {}
        for number in range(1, MAX_PAGES + 1):
            answer = self._request("GET", path, {**query, "page_num": str(number), "page_size": str(PAGE_SIZE)})
            page, before = answer.get("data") or [], len(rows)
            rows.update((row[key], row) for row in page)
            total = (answer.get("pagination") or {}).get("total")
            if len(rows) == before or (len(rows) >= total if total is not None else len(page) < PAGE_SIZE):
                if total is not None and len(rows) < total:
                    break
                return list(rows.values())
        raise Unknown(problems.INCOMPLETE(path=path))

    def _request(self, method: str, path: str, query: Mapping[str, str], body: Any = None) -> dict[str, Any]:
        answer = self._http.request(method, API + path, query=query, json=body)
        self.moment = _date(answer.headers)
        return _opened(answer.status, answer.body, path)


@contextmanager
def understood() -> Iterator[None]:
    """Around the parsing of an answer: one of another shape raises Unknown."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise Unknown(problems.UNFIT_ANSWER(why=f"{type(error).__name__} {error}"[:100])) from error


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError):
        return None
    return date if date.tzinfo else None


def _opened(status: int, content: bytes, path: str) -> dict[str, Any]:
    """The content of the envelope. Raises Refused for a refusal, and Unknown for anything but a yes or a refusal."""
    try:
        envelope = json.loads(content)
        code = str(envelope["code"])
        # Unknown paths are answered with a number, and the word beside it.
        word = str(envelope.get("codeS") or code)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unknown(problems.NOT_UNIFI(status=status)) from error
    if code in _SUCCESS and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return dict(envelope)
    short_word, text = word[:80], str(envelope.get("msg", ""))[:200]
    if word in _BAD_TOKEN or status == HTTPStatus.UNAUTHORIZED:
        raise Refused(problems.BAD_TOKEN())
    if word == "CODE_UNAUTHORIZED" or status == HTTPStatus.FORBIDDEN:
        raise Refused(problems.NOT_PERMITTED(path=path))
    if word == "CODE_SYSTEM_ERROR" or status >= HTTPStatus.INTERNAL_SERVER_ERROR or not word.startswith("CODE_"):
        raise Unknown(problems.FAILED(path=path, answer=text, code=short_word))
    if word in _NOT_FOUND:
        raise NotFound(problems.NOT_FOUND(path=path, code=short_word))
    raise Refused(problems.REFUSED(path=path, answer=text, code=short_word))
