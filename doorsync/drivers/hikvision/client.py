"""ISAPI of Hikvision's devices: HTTP with digest authentication, JSON for access control, XML for the rest.

The facts are from the vendor's public "ISAPI Developer Guide"; comments name those that only integrators report.
"""

import io
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError

import requests
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from requests.auth import HTTPDigestAuth

from doorsync.drivers.errors import Full, Refused, Unknown, Unreachable
from doorsync.drivers.hikvision import problems
from doorsync.drivers.http import HttpClient
from doorsync.drivers.problems import NOT_JSON
from portal.core.http import BadCertificate, TooLong
from portal.core.http.problems import TOO_LONG
from portal.core.problems import Problem

MAX_BYTES = 1024 * 1024  # a page of a hundred entries is a tenth of it
_CHALLENGE_BYTES = 64 * 1024

LARGEST_PAGE = 100
SMALLEST_PAGE = 10  # where a device does not say how many entries it gives at once
SEARCH_SECONDS = 60

# A device locks a login after a few wrong passwords, for half an hour by default. So this process does not try a wrong
# one again before that; and it does not try one where the device reports so few tries left, or fewer.
WRONG_FOR = timedelta(minutes=30)
TRIES_TO_SPARE = 2
_wrong: dict[int, datetime] = {}  # by address, user and password, hashed: when
# Logins that were right the last time. Integrators report that devices refuse one now and then without a reason: the
# first such refusal does not count as a wrong password.
_right: set[int] = set()

# ResponseStatus. 0 and 1: done; 2: busy; 4: invalid operation; 5, 6: invalid format or content: nothing was done.
_DONE, _NOT_DONE = {0, 1}, {2, 4, 5, 6}
# No public document lists these words; integrators name them. The driver counts for itself before it adds a person.
_FULL = {"userfull", "deviceuserfull", "cardfull", "devicecardfull"}


class Limits(NamedTuple):
    """How much a device takes of a kind. `most`: how many entries, None where it does not say."""

    page: int
    most: int | None


class Isapi:
    """One device. Every call is bounded in time and size, made once, and never repeated. Each may raise DriverError."""

    def __init__(
        self, url: str, *, username: str, password: str, fingerprint: str, seconds: float, now: datetime
    ) -> None:
        """`seconds`: the time-out. `fingerprint`: of the certificate; "": one that this machine trusts."""
        self._http = HttpClient(url, seconds=seconds, max_bytes=MAX_BYTES, fingerprint=fingerprint)
        self._username, self._password, self._now = username, password, now
        self._is_pinned = bool(fingerprint)
        self._login = hash((self._http.url, username, password))
        self._limits: dict[str, Limits] = {}

    def close(self) -> None:
        self._http.close()

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request in JSON."""
        data = None if body is None else json.dumps(body).encode()
        answer = _from_json(self._request(method, f"/ISAPI/{path}?format=json", data, "application/json"))
        if answer is None:
            raise Unknown(NOT_JSON())
        return answer

    def xml(self, method: str, path: str, body: str | None = None) -> dict[str, str]:
        """The fields of the answer to a request in XML, by name."""
        data = None if body is None else f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()
        fields = from_xml(self._request(method, f"/ISAPI/{path}", data, "application/xml"))
        if fields is None:
            raise Unknown(problems.NOT_XML())
        return fields

    def limits(self, kind: str) -> Limits:
        """For UserInfo, CardInfo or AcsEvent."""
        if kind not in self._limits:
            try:
                capabilities = self.json("GET", f"AccessControl/{kind}/capabilities").get(kind) or {}
            except Refused:  # the device does not have this request
                capabilities = {}
            with understood():
                condition = capabilities.get("AcsEventCond" if kind == "AcsEvent" else f"{kind}SearchCond") or {}
                page = int((condition.get("maxResults") or {}).get("@max", SMALLEST_PAGE))
                most = capabilities.get("maxRecordNum")
                self._limits[kind] = Limits(max(1, min(page, LARGEST_PAGE)), None if most is None else int(most))
        return self._limits[kind]

    def search(self, kind: str, **condition: Any) -> Iterator[dict[str, Any]]:
        """All entries of a kind, UserInfo or CardInfo, page by page. Raises Unknown where the list is incomplete."""
        size, name, count = self.limits(kind).page, search_id(), 0
        last_moment = time.monotonic() + SEARCH_SECONDS
        while True:
            query = {"searchID": name, "searchResultPosition": count, "maxResults": size, **condition}
            answer = self.json("POST", f"AccessControl/{kind}/Search", {f"{kind}SearchCond": query})
            with understood():
                page = answer[f"{kind}Search"]
                entries, more = entries_of(page.get(kind)), page["responseStatusStrg"] == "MORE"
                total = int(page.get("totalMatches", count + len(entries)))
            yield from entries
            count += len(entries)
            if not more or not entries or time.monotonic() > last_moment:
                break
        if more or count < total:
            raise Unknown(problems.INCOMPLETE(n=count, total=total))

    def _request(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        wrong_since = _wrong.get(self._login)
        if wrong_since is not None and timedelta() <= self._now - wrong_since < WRONG_FOR:
            raise Refused(problems.LOGIN_PAUSED(at=wrong_since + WRONG_FOR))
        # Anew for each request: devices take a nonce once or twice, and count later uses as a wrong password.
        auth = _Digest(self._username, self._password)
        headers = {"Content-Type": kind} if data is not None else None
        try:
            answer = self._http.request(method, path, data=data, headers=headers, auth=auth)
        except Unreachable as error:
            if isinstance(error.__cause__, BadCertificate) and not self._is_pinned:
                raise Unreachable(problems.FINGERPRINT_NEEDED(why=error.problem)) from error
            raise
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise self._login_refused(auth, answer.body)
        _check(answer.status, answer.body)
        _right.add(self._login)
        return answer.body

    def _login_refused(self, auth: "_Digest", content: bytes) -> Refused:
        if not auth.answered:
            return Refused(problems.NO_DIGEST())
        locked = _lock(content)
        if locked is None and self._login in _right:
            _right.discard(self._login)
            return Refused(problems.LOGIN_REFUSED_ONCE())
        _wrong[self._login] = self._now
        return Refused(locked or problems.LOGIN_WRONG())


class _Digest(HTTPDigestAuth):
    """Answers a device's challenge, once, unless the device reports that a wrong answer would lock the login."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self.answered = False

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        if r.status_code == HTTPStatus.UNAUTHORIZED:
            challenge = r.raw.read(_CHALLENGE_BYTES + 1, decode_content=True)
            if len(challenge) > _CHALLENGE_BYTES:
                raise TooLong(TOO_LONG(most=_CHALLENGE_BYTES))
            r.raw = io.BytesIO(challenge)  # the library would read it without bound
            if (locked := _lock(challenge)) is not None:
                raise Refused(locked)
            left = _number((_fields(challenge) or {}).get("retryLoginTime"))
            # Some devices say 0 where they count none.
            if left is not None and 0 < left <= TRIES_TO_SPARE:
                raise Refused(problems.FEW_TRIES_LEFT(n=left))
            self.answered = "digest" in r.headers.get("WWW-Authenticate", "").lower()
        answer: requests.Response = super().handle_401(r, **kwargs)  # type: ignore[no-untyped-call]  # has no types
        return answer


def search_id() -> str:
    """A name for one search, new for each: a device may answer an old one with its old result."""
    return str(secrets.randbelow(10**8))  # integrators report firmware that refuses longer ones


def entries_of(value: Any) -> list[dict[str, Any]]:
    """The entries of a page; a single one may come without a list around it."""
    entries = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(entry, dict) for entry in entries):
        raise TypeError("entries")
    return entries


def from_xml(content: bytes) -> dict[str, str] | None:
    """The texts of a document's elements by name, without namespaces, the first of each; None where it is no XML.

    A document that declares a type does not count as XML: entities of its own could grow without bound.
    """
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    fields: dict[str, str] = {}
    for element in root.iter():
        fields.setdefault(element.tag.rpartition("}")[2], "".join(_own_texts(element)).strip())
    return fields


def _own_texts(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield child.tail or ""


@contextmanager
def understood() -> Iterator[None]:
    """Around the parsing of an answer: one of another shape raises Unknown."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unknown(problems.UNFIT_ANSWER(error=type(error).__name__, text=str(error)[:80])) from error


def _from_json(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _fields(content: bytes) -> Mapping[str, Any] | None:
    """The fields of a status, in either of the two forms; a device may answer JSON with XML."""
    return _from_json(content) or from_xml(content)


def _check(status: int, content: bytes) -> None:
    """Raises DriverError unless the answer is what was asked for, or confirms the change."""
    fields = _fields(content) or {}
    code = _number(fields.get("statusCode"))
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and (code is None or code in _DONE):
        return
    word = str(fields.get("subStatusCode") or fields.get("statusString") or status)
    if word.casefold() in _FULL:
        raise Full(problems.FULL())
    if code in _NOT_DONE or (code is None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR):
        more = str(fields.get("errorMsg") or "")
        raise Refused(problems.REFUSED(answer=f"{word} {more}".strip()[:200]))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise Refused(problems.REDIRECTED())
    raise Unknown(problems.FAILED(answer=word[:200]))


def _lock(content: bytes) -> Problem | None:
    """The problem of a locked login; None where the device has not locked it."""
    fields = _fields(content) or {}
    if str(fields.get("lockStatus", "")).casefold() != "lock":
        return None
    return problems.LOGIN_LOCKED(n=-(-(_number(fields.get("unlockTime")) or 0) // 60))


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
