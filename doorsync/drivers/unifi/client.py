"""What the UniFi Access driver says to the console's developer API, and what it makes of the answers.

Written from Ubiquiti's API reference (1.9.1 to 4.0.10): HTTPS on port 12445, a bearer token, and every answer in an
envelope {"code": "SUCCESS", "msg": …, "data": …}. Refusals come inside of HTTP 200 as well, so the code is what counts.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import requests
from django.utils.translation import gettext as _
from pydantic import SecretStr
from urllib3.exceptions import HTTPError, NewConnectionError

from doorsync.drivers.base import Refused, Unknown, Unreachable
from portal.core.http import Deadline, PinnedAdapter, TooLongError, read_bounded

API = "/api/v1/developer/"
SLOWNESS = 2  # a whole request may take this many time-outs
MAX_BYTES = 16 * 1024 * 1024
PAGE_SIZE = 200  # a few thousand users are some requests; one that gives fewer at a time is understood, too
MAX_PAGES = 200

# The reference's own sample of the list of schedules says SUCCEED.
_YES = ("SUCCESS", "SUCCEED")
_BAD_TOKEN = ("CODE_AUTH_FAILED", "CODE_ACCESS_TOKEN_INVALID")
_NOT_THERE = (
    "CODE_NOT_EXISTS",
    "CODE_RESOURCE_NOT_FOUND",
    "CODE_NOT_FOUND",
    "CODE_USER_ACCOUNT_NOT_EXIST",
    "CODE_USER_WORKER_NOT_EXISTS",
)


class NotThere(Refused):
    """What was asked for does not exist."""


class UnifiClient:
    """Requests to one console. Each raises Unreachable, Unknown or Refused, never repeats itself, and ends in time."""

    def __init__(self, url: str, token: SecretStr, fingerprint: str, seconds: float) -> None:
        self._base = url.rstrip("/") + API
        self._seconds = seconds
        self.moment: datetime | None = None  # the console's clock (aware) at its last answer, where it told
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no place between the portal and a door
        self._session.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._session.mount("https://", PinnedAdapter(fingerprint))

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, **query: str) -> Any:
        return self._ask("GET", path, query).get("data")

    def change(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        return self._ask(method, path, query, body).get("data")

    def everything(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """A list to its end, page by page; `key` is what tells its entries apart.

        A list that is not whole would look as if cards were gone: it is Unknown.
        """
        found: dict[str, dict[str, Any]] = {}
        for page in range(1, MAX_PAGES + 1):
            answer = self._ask("GET", path, {**query, "page_num": str(page), "page_size": str(PAGE_SIZE)})
            rows, before = answer.get("data") or [], len(found)
            found.update((row[key], row) for row in rows)
            total = (answer.get("pagination") or {}).get("total")
            if len(found) == before or (len(found) >= total if total is not None else len(rows) < PAGE_SIZE):
                if total is not None and len(found) < total:
                    break
                return list(found.values())
        raise Unknown(_("UniFi Access did not give its list of %(what)s to the end.") % {"what": path})

    def _ask(self, method: str, path: str, query: Mapping[str, str], body: Any = None) -> dict[str, Any]:
        seconds = self._seconds
        with Deadline(SLOWNESS * seconds) as deadline:
            try:
                with self._session.request(
                    method,
                    self._base + path,
                    params=query,
                    json=body,
                    timeout=seconds,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    content = read_bounded(answer, MAX_BYTES)
            except requests.exceptions.ConnectTimeout as error:
                raise Unreachable(_("No answer when connecting.")) from error
            except requests.exceptions.ReadTimeout as error:
                raise Unknown(_("No answer within %(seconds)s seconds.") % {"seconds": seconds}) from error
            except TooLongError as error:
                raise Unknown(_("The answer was longer than %(n)d bytes.") % {"n": MAX_BYTES}) from error
            except (OSError, HTTPError) as error:
                raise (_too_slow(SLOWNESS * seconds) if deadline.expired else _of_a_broken_connection(error)) from error
        if deadline.expired:
            raise _too_slow(SLOWNESS * seconds)
        self._note_moment(answer)
        return _opened(answer.status_code, content, path)

    def _note_moment(self, answer: requests.Response) -> None:
        try:
            told = parsedate_to_datetime(answer.headers["Date"])
        except (KeyError, ValueError):
            told = None
        self.moment = told if told and told.tzinfo else None


@contextmanager
def understood() -> Iterator[None]:
    """While an answer is taken apart: what has not the expected shape is not understood."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise Unknown(
            _("UniFi Access answered in a way that the portal does not understand (%(why)s).")
            % {"why": f"{type(error).__name__} {error}"[:100]}
        ) from error


def _too_slow(seconds: float) -> Unknown:
    return Unknown(_("The answer did not end within %(seconds)s seconds.") % {"seconds": seconds})


def _of_a_broken_connection(error: Exception) -> Unreachable | Unknown:
    if "Fingerprints did not match" in str(error):
        return Unreachable(
            _(
                "Another certificate answers there than the one whose fingerprint is stored, so nothing was sent. If "
                "the console was given a new certificate, store the new fingerprint; if not, something else answers."
            )
        )
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError):
        return Unreachable(_("The connection was refused."))
    # A connection that broke after the request went out may have delivered it.
    return Unknown(_("The connection broke off."))


def _opened(status: int, content: bytes, path: str) -> dict[str, Any]:
    """What is in the envelope. Raises Refused where it says no, and Unknown where it says neither yes nor no."""
    try:
        envelope = json.loads(content)
        code = str(envelope["code"])
        # Unknown paths are told by a number, and the word beside it.
        word = str(envelope.get("codeS") or code)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unknown(
            _("What answers is no UniFi Access: its answer does not fit (status %(status)d).") % {"status": status}
        ) from error
    if code in _YES and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return dict(envelope)
    said = {"path": path, "code": word[:80], "said": str(envelope.get("msg", ""))[:200]}
    if word in _BAD_TOKEN or status == HTTPStatus.UNAUTHORIZED:
        raise Refused(_("UniFi Access does not accept the API token: make a new one there, and store it here."))
    if word == "CODE_UNAUTHORIZED" or status == HTTPStatus.FORBIDDEN:
        raise Refused(_("The API token may not use %(path)s: give it the permissions that the docs name.") % said)
    if word == "CODE_SYSTEM_ERROR" or status >= HTTPStatus.INTERNAL_SERVER_ERROR or not word.startswith("CODE_"):
        raise Unknown(_("UniFi Access failed at %(path)s: %(said)s (%(code)s).") % said)
    if word in _NOT_THERE:
        raise NotThere(_("UniFi Access knows no %(path)s (%(code)s).") % said)
    raise Refused(_("UniFi Access refused %(path)s: %(said)s (%(code)s).") % said)
