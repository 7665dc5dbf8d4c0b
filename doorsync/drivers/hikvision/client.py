"""ISAPI as Hikvision's devices speak it: HTTP with digest authentication, JSON for access control, XML for the rest.

Facts of the vendor's are from its public "ISAPI Developer Guide"; what integrators saw on devices is called so.
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
from xml.parsers import expat

import requests
from django.utils.translation import gettext as _
from requests.auth import HTTPDigestAuth
from urllib3.exceptions import HTTPError

from doorsync.drivers.base import Full, Refused, Unknown, Unreachable
from portal.core.http import Deadline, DeadlineAdapter, PinnedAdapter, TooLongError, read_bounded

SLOWNESS = 2  # a whole request, with its challenge, may take this many time-outs
MAX_BYTES = 1024 * 1024  # a page of a hundred entries is a tenth of it
_CHALLENGE_BYTES = 64 * 1024

MOST_A_PAGE = 100
FEWEST_A_PAGE = 10  # where a device does not say how many it tells at once
SEARCH_SECONDS = 60

# A device locks a login after a few wrong passwords, for half an hour as delivered. So one that was wrong is not tried
# again before that, by this process; and none does where the device says that so few tries are left, or fewer.
WRONG_FOR = timedelta(minutes=30)
TRIES_TO_SPARE = 2
_wrong: dict[int, datetime] = {}  # by address, user and password, hashed: when
# Those that were right the last time. Devices refuse one now and then for no reason, integrators say: that is let pass.
_right: set[int] = set()

# ResponseStatus. 0 and 1: done; 2: busy; 4: invalid operation; 5, 6: invalid format or content: nothing was done.
_DONE, _NOT_DONE = {0, 1}, {2, 4, 5, 6}
# No public document lists these words; integrators name them. The driver counts for itself before it adds a person.
_FULL = {"userfull", "deviceuserfull", "cardfull", "devicecardfull"}


class Limits(NamedTuple):
    """What a device says that it takes of a kind. `most`: how many entries, None where it does not say."""

    page: int
    most: int | None


class Isapi:
    """One device. Every call is bounded in time and size, made once, and never repeated."""

    def __init__(
        self, url: str, *, username: str, password: str, fingerprint: str, seconds: float, now: datetime
    ) -> None:
        """`seconds`: the time-out. `fingerprint`: of the certificate, SHA-256 in hex; "": one signed as usual."""
        self._url, self._username, self._password = url.rstrip("/"), username, password
        self._seconds, self._now = seconds, now
        self._login = hash((self._url, username, password))
        self._limits: dict[str, Limits] = {}
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no place between the portal and a door
        self._session.mount("http://", DeadlineAdapter())
        self._session.mount("https://", PinnedAdapter(fingerprint) if fingerprint else DeadlineAdapter())

    def close(self) -> None:
        self._session.close()

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request in JSON. Raises DriverError."""
        data = None if body is None else json.dumps(body).encode()
        content = self._ask(method, f"/ISAPI/{path}?format=json", data, "application/json")
        answer = _from_json(content)
        if answer is None:
            raise Unknown(_("What answers is no controller of this family: its answer is no JSON."))
        return answer

    def xml(self, method: str, path: str, body: str | None = None) -> dict[str, str]:
        """The fields of the answer to a request in XML, by name. Raises DriverError."""
        data = None if body is None else f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()
        content = self._ask(method, f"/ISAPI/{path}", data, "application/xml")
        fields = from_xml(content)
        if fields is None:
            raise Unknown(_("What answers is no controller of this family: its answer is no XML."))
        return fields

    def limits(self, kind: str) -> Limits:
        """For UserInfo, CardInfo or AcsEvent. Raises DriverError."""
        if kind not in self._limits:
            try:
                said = self.json("GET", f"AccessControl/{kind}/capabilities").get(kind) or {}
            except Refused:  # it knows no such question
                said = {}
            with understood():
                condition = said.get("AcsEventCond" if kind == "AcsEvent" else f"{kind}SearchCond") or {}
                page = int((condition.get("maxResults") or {}).get("@max", FEWEST_A_PAGE))
                most = said.get("maxRecordNum")
                self._limits[kind] = Limits(max(1, min(page, MOST_A_PAGE)), None if most is None else int(most))
        return self._limits[kind]

    def search(self, kind: str, **condition: Any) -> Iterator[dict[str, Any]]:
        """All entries of a kind, UserInfo or CardInfo, page by page. Raises DriverError where they are not all told."""
        size, name, told = self.limits(kind).page, search_id(), 0
        last_moment = time.monotonic() + SEARCH_SECONDS
        while True:
            asked = {"searchID": name, "searchResultPosition": told, "maxResults": size, **condition}
            answer = self.json("POST", f"AccessControl/{kind}/Search", {f"{kind}SearchCond": asked})
            with understood():
                page = answer[f"{kind}Search"]
                entries, more = listed(page.get(kind)), page["responseStatusStrg"] == "MORE"
                total = int(page.get("totalMatches", told + len(entries)))
            yield from entries
            told += len(entries)
            if not more or not entries or time.monotonic() > last_moment:
                break
        if more or told < total:
            raise Unknown(
                _("The device told %(n)d of its %(total)d entries and no more: nothing is taken for missing.")
                % {"n": told, "total": total}
            )

    def _ask(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        wrong_since = _wrong.get(self._login)
        if wrong_since is not None and timedelta() <= self._now - wrong_since < WRONG_FOR:
            raise Refused(
                _("User name or password wrong. The device locks a login that fails often: tried again at %(when)s.")
                % {"when": f"{wrong_since + WRONG_FOR:%H:%M} UTC"}
            )
        # Anew for each request: devices take a nonce once or twice, and count what comes after as a wrong password.
        auth = _Digest(self._username, self._password)
        status, content, expired = self._exchange(method, path, data, kind, auth)
        if status == HTTPStatus.UNAUTHORIZED:
            raise self._not_let_in(auth, content)
        _judge(status, content)
        if expired:
            raise Unknown(_("The answer did not end within %(seconds)s seconds.") % {"seconds": self._within})
        _right.add(self._login)
        return content

    @property
    def _within(self) -> float:
        return SLOWNESS * self._seconds

    def _exchange(
        self, method: str, path: str, data: bytes | None, kind: str, auth: "_Digest"
    ) -> tuple[int, bytes, bool]:
        with Deadline(self._within) as deadline:
            try:
                with self._session.request(
                    method,
                    self._url + path,
                    data=data,
                    headers={"Content-Type": kind} if data is not None else None,
                    auth=auth,
                    timeout=self._seconds,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    return answer.status_code, read_bounded(answer, MAX_BYTES), deadline.expired
            except requests.exceptions.ConnectTimeout as error:
                raise Unreachable(_("No answer when connecting.")) from error
            except requests.exceptions.ReadTimeout as error:
                raise Unknown(_("No answer within %(seconds)s seconds.") % {"seconds": self._seconds}) from error
            except TooLongError as error:
                raise Unknown(_("The answer was longer than %(n)d bytes.") % {"n": MAX_BYTES}) from error
            except (OSError, HTTPError) as error:
                raise _broken(error) from error

    def _not_let_in(self, auth: "_Digest", content: bytes) -> Refused:
        if not auth.answered:
            return Refused(_("The device asks for no digest authentication: switch it on in its web page's security."))
        if (minutes := _locked(content)) is None and self._login in _right:
            _right.discard(self._login)
            return Refused(_("The device did not let the portal in, as it did before."))
        _wrong[self._login] = self._now
        return Refused(_("User name or password wrong.") if minutes is None else _locked_in_words(minutes))


class _Digest(HTTPDigestAuth):
    """Answers a device's challenge, once, unless the device says that a wrong answer would lock the login."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(username, password)
        self.answered = False

    def handle_401(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        if r.status_code == HTTPStatus.UNAUTHORIZED:
            said = r.raw.read(_CHALLENGE_BYTES + 1, decode_content=True)
            if len(said) > _CHALLENGE_BYTES:
                raise TooLongError
            r.raw = io.BytesIO(said)  # the library would read it without bound
            if (minutes := _locked(said)) is not None:
                raise Refused(_locked_in_words(minutes))
            left = _number((_fields(said) or {}).get("retryLoginTime"))
            # Some devices say 0 where they count none.
            if left is not None and 0 < left <= TRIES_TO_SPARE:
                raise Refused(
                    _("Nobody was logged in: the device would lock after %(n)d more wrong passwords. Log in by hand.")
                    % {"n": left}
                )
            self.answered = "digest" in r.headers.get("WWW-Authenticate", "").lower()
        answer: requests.Response = super().handle_401(r, **kwargs)  # type: ignore[no-untyped-call]  # has no types
        return answer


def search_id() -> str:
    """A name for one search, new for each: a device may answer an old one with what it found then."""
    return str(secrets.randbelow(10**8))  # longer ones make some firmware refuse, integrators say


def listed(found: Any) -> list[dict[str, Any]]:
    """The entries of a page; one alone may come without a list around it."""
    entries = found if isinstance(found, list) else [found] if found else []
    if not all(isinstance(entry, dict) for entry in entries):
        raise TypeError("entries")
    return entries


def from_xml(content: bytes) -> dict[str, str] | None:
    """The texts of a document's elements by name, without namespaces, the first of each; None where it is no XML.

    A document that declares a type is none either: entities of its own could grow without bound.
    """
    fields: dict[str, str] = {}
    open_elements: list[list[str]] = []

    def start(_name: str, _attributes: dict[str, str]) -> None:
        open_elements.append([])

    def end(name: str) -> None:
        fields.setdefault(name.rpartition(" ")[2], "".join(open_elements.pop()).strip())

    def text(some: str) -> None:
        open_elements[-1].append(some)

    def declares_a_type(*_declared: Any) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = declares_a_type
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError):
        return None
    return fields


@contextmanager
def understood() -> Iterator[None]:
    """While an answer is taken apart: what has not the expected shape is not guessed at."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unknown(
            _("The device's answer does not fit what its documentation says (%(why)s %(what)s).")
            % {"why": type(error).__name__, "what": str(error)[:80]}
        ) from error


def _from_json(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _fields(content: bytes) -> Mapping[str, Any] | None:
    """What a status says, in whichever of the two forms it came; a device may answer JSON with XML."""
    return _from_json(content) or from_xml(content)


def _judge(status: int, content: bytes) -> None:
    """Raises DriverError unless the answer says that it was done, or tells what was asked for."""
    fields = _fields(content) or {}
    code = _number(fields.get("statusCode"))
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and (code is None or code in _DONE):
        return
    word = str(fields.get("subStatusCode") or fields.get("statusString") or status)
    if word.casefold() in _FULL:
        raise Full(_("The device is full."))
    if code in _NOT_DONE or (code is None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR):
        more = str(fields.get("errorMsg") or "")
        raise Refused(_("The device refused: %(said)s") % {"said": f"{word} {more}".strip()[:200]})
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise Refused(_("The device sends elsewhere: its address may have to begin with https://."))
    raise Unknown(_("The device failed: %(said)s") % {"said": word[:200]})


def _locked(content: bytes) -> int | None:
    """For how many minutes the device has locked the login; None where it has not."""
    fields = _fields(content) or {}
    if str(fields.get("lockStatus", "")).casefold() != "lock":
        return None
    return -(-(_number(fields.get("unlockTime")) or 0) // 60)


def _locked_in_words(minutes: int) -> str:
    return _("The device has locked this login after wrong passwords, for %(n)d more minutes.") % {"n": minutes}


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _broken(error: Exception) -> Unreachable | Unknown:
    """A connection that broke after the request went out may have delivered it."""
    text = str(error)
    if "Failed to establish a new connection" in text:
        return Unreachable(_("The connection was refused."))
    if isinstance(error, requests.exceptions.SSLError):
        if "Fingerprints did not match" in text:
            return Unreachable(_("Its certificate has another fingerprint than the one entered here."))
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return Unreachable(_("Its certificate is not trusted: enter its fingerprint."))
    return Unknown(_("The connection broke off."))
