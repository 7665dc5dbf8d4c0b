"""One HTTP session for everything the portal calls: Offision, controllers, webhooks."""

import http.client
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.exceptions import SSLError as FingerprintError

from portal.core.http.deadline import Deadline
from portal.core.http.problems import (
    BROKE_OFF,
    CONNECT_TIMED_OUT,
    NO_CONNECTION,
    NOT_HTTP,
    REFUSED,
    TIMED_OUT,
    TLS_FAILED,
    TOO_LONG,
    UNKNOWN_HOST,
    UNTRUSTED,
    WRONG_FINGERPRINT,
)
from portal.core.problems import Problem

USER_AGENT = "offision-access-portal"
_CHUNK_BYTES = 65536


class Answer(NamedTuple):
    """Any answer, whatever its status. The headers' names have no case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpError(Exception):
    """A request without a complete answer.

    `sent`: whether the other side may have received the request. `answer`: the status, the headers and the part of the
    body that was read; None where no status came. Neither the text nor the exception chain holds the address's path.
    """

    sent: ClassVar[bool] = True

    def __init__(self, problem: Problem, answer: Answer | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.answer = answer

    def __str__(self) -> str:
        return str(self.problem)


class NotReached(HttpError):
    """There was no connection, or no trusted one."""

    sent = False


class BadCertificate(NotReached):
    """The certificate is not trusted, or has another fingerprint than the given one."""


class NoAnswer(HttpError):
    """The connection broke off, or was silent for longer than the read time-out."""


class TooSlow(HttpError):
    """The answer was not complete at the deadline."""


class TooLong(HttpError):
    """The body is longer than the session reads."""


class HttpSession:
    """Pooled connections. Each request is bounded in time, and its answer in size. Safe to share between threads.

    It follows no redirect, keeps no cookie, repeats nothing, and uses no proxy or password of the environment.
    """

    def __init__(
        self,
        *,
        timeout: float | tuple[float, float],
        deadline: float,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        fingerprint: str = "",
        ca_file: str = "",
        pool_size: int = 10,
    ) -> None:
        """`timeout` (seconds): for connecting and for each read, or one for both. `deadline`: for a whole request.

        `fingerprint`: the SHA-256 of the only certificate to trust, whoever signed it, for whatever name. `ca_file`:
        the authorities to trust, in place of the usual ones. `pool_size`: idle connections kept for each host. Raises
        ValueError for a fingerprint that is none.
        """
        self._timeouts = _pair(timeout)
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = auth
        self._session.headers.update({"User-Agent": USER_AGENT, **(headers or {})})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # With a fingerprint no signature counts: each connection compares the fingerprint before anything is sent.
        self._session.verify = False if fingerprint else ca_file or True
        adapter = _Adapter(fingerprint and normal_fingerprint(fingerprint), pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        timeout: float | tuple[float, float] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Send one request and read its whole answer. `timeout` and `deadline` (seconds) replace the session's.

        Raises NotReached, BadCertificate, NoAnswer, TooSlow or TooLong; no status is an error.
        """
        whole = self._deadline if deadline is None else deadline
        timeouts = self._timeouts if timeout is None else _pair(timeout)
        connect_timeout, read_timeout = (min(seconds, whole) for seconds in timeouts)
        response: requests.Response | None = None
        failure: Exception | None = None
        body = bytearray()
        with _Exchange(whole) as exchange:
            try:
                with self._session.request(
                    method,
                    url,
                    params=query,
                    json=json,
                    data=data,
                    headers=headers,
                    auth=auth,
                    timeout=(connect_timeout, read_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    for chunk in response.iter_content(_CHUNK_BYTES):
                        body += chunk
                        if len(body) > self._max_bytes:
                            break
            except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
                failure = error
        if failure is not None and not exchange.sent:
            raise NotReached(NO_CONNECTION())
        answer = None if response is None else Answer(response.status_code, response.headers, bytes(body))
        if exchange.expired:  # a body without a length just ends where the connection was cut
            raise TooSlow(TIMED_OUT(seconds=whole), answer)
        if failure is not None or answer is None:
            raise NoAnswer(_why_broken(failure, read_timeout), answer)
        if len(body) > self._max_bytes:
            raise TooLong(TOO_LONG(most=self._max_bytes), answer)
        return answer


def _pair(timeout: float | tuple[float, float]) -> tuple[float, float]:
    return timeout if isinstance(timeout, tuple) else (timeout, timeout)


def normal_fingerprint(text: str) -> str:
    """A certificate's SHA-256 fingerprint as 64 lower-case hexadecimal digits. Raises ValueError where it is none.

    `text` may hold colons and spaces. Fingerprints of weaker hashes are refused.
    """
    digits = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("A SHA-256 fingerprint has 64 hexadecimal digits.")
    return digits


class _Exchange(Deadline):
    """One request of this thread: its deadline, and whether sending began."""

    _of_thread = threading.local()

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.sent = False

    def __enter__(self) -> Self:
        self._of_thread.exchange = self
        return super().__enter__()

    def __exit__(self, *details: Any) -> None:
        self._of_thread.exchange = None
        super().__exit__(*details)

    @classmethod
    def begin_sending(cls, connection: HTTPConnection) -> None:
        """The connection stands, and the first byte goes out next."""
        exchange: _Exchange = cls._of_thread.exchange
        if exchange.expired and not exchange.sent:
            raise NotReached(CONNECT_TIMED_OUT(host=_host(connection), seconds=exchange.seconds))
        exchange.sent = True
        exchange.watch(connection.sock)


class _Connection(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            raise _not_connected(self, error) from None

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _Exchange.begin_sending(self)
        super().send(data)


class _TLSConnection(_Connection, HTTPSConnection):
    pass


def _host(connection: HTTPConnection) -> str:
    return f"{connection.host}:{connection.port}"


def _not_connected(connection: HTTPConnection, error: Exception) -> NotReached:
    """Whatever fails in connect(), TLS included, fails before the request is sent."""
    host = _host(connection)
    if isinstance(error, NameResolutionError):
        return NotReached(UNKNOWN_HOST(host=connection.host))
    if isinstance(error, NewConnectionError):
        refused = isinstance(error.__cause__, ConnectionRefusedError)
        return NotReached(REFUSED(host=host) if refused else NO_CONNECTION())
    if isinstance(error, ConnectTimeoutError | TimeoutError):
        return NotReached(CONNECT_TIMED_OUT(host=host, seconds=connection.timeout))
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadCertificate(UNTRUSTED(host=host, why=error.verify_message))
    if isinstance(error, FingerprintError):
        return BadCertificate(WRONG_FINGERPRINT(host=host))
    if isinstance(error, ssl.SSLError):
        return NotReached(TLS_FAILED(host=host))
    return NotReached(NO_CONNECTION())


def _why_broken(error: BaseException | None, read_timeout: float) -> Problem:
    """Of an error after sending began: the library wraps its causes, and one error type holds several of them."""
    causes = list(_chain(error))
    if any(isinstance(cause, ReadTimeoutError | TimeoutError) for cause in causes):
        return TIMED_OUT(seconds=read_timeout)
    if any(isinstance(cause, http.client.HTTPException) and not isinstance(cause, _CUT_SHORT) for cause in causes):
        return NOT_HTTP()
    return BROKE_OFF()


_CUT_SHORT = (http.client.RemoteDisconnected, http.client.IncompleteRead)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    def __init__(self, fingerprint: str, pool_size: int) -> None:
        self._fingerprint = fingerprint
        super().__init__(pool_connections=2, pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._fingerprint or None)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
