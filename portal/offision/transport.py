"""One HTTP request to Offision and its answer, bounded in size and in time. Knows no contract."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import requests
from django.utils.translation import gettext as _
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError

from portal.core import clock
from portal.core.http import Deadline, DeadlineAdapter, TooLongError, read_bounded
from portal.offision.errors import ContractError, TooLarge, TryAgain, Unauthorized

POOL_SIZE = 32  # connections kept; more than the threads of a worker
LONGEST_WAIT = 30.0  # seconds; the most that a Retry-After is believed
SLOWNESS = 3  # a whole request may take this many read time-outs


class Reply(NamedTuple):
    """The status and body of an answer that is neither a server error nor a refusal of the token."""

    status: int
    body: bytes


class _Token(AuthBase):
    """Sends the token. An auth object, because a plain header would lose to an entry in the user's .netrc."""

    def __init__(self, token: str, style: str) -> None:
        self._token, self._style = token, style

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._style == "basic":
            HTTPBasicAuth(self._token, "")(request)
            return request
        request.headers["Authorization"] = self._token
        return request


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(base_url: str) -> tuple[SplitResult, str]:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ContractError(
            _("OFFISION_URL must be the server's address, such as https://offision.example.com, and no more.")
        )
    return parts, parts.hostname


class Transport:
    """A pooled session to one server. Safe to share between threads."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        style: str,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int,
    ) -> None:
        """Time-outs in seconds. Raises ContractError where the address or the token cannot be used."""
        parts, host = _address(base_url)
        if parts.scheme == "http" and not _is_loopback(host):
            raise ContractError(
                _("OFFISION_URL must start with https://, or the access token would cross the network in the open.")
            )
        if not token or not token.isascii() or not token.isprintable() or token != token.strip():
            raise ContractError(
                _("OFFISION_TOKEN must be the access token from Management console -> Settings -> API authentication.")
            )
        self.host = parts.netloc
        self.base_url = base_url.rstrip("/")
        self._timeouts = (connect_timeout, read_timeout)
        self._max_bytes = max_bytes
        self._session = requests.Session()
        self._session.auth = _Token(token, style)
        self._session.headers["Accept"] = "application/json"
        self._session.headers["User-Agent"] = "offision-access-portal"
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # A proxy from the environment must not stand between the portal and a server on the same machine.
        self._session.trust_env = not _is_loopback(host)
        adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=POOL_SIZE)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any],
        body: Any = None,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request and read its whole answer, within `seconds` if that is less than usual.

        Raises TryAgain, Unauthorized or TooLarge. Every other status is the caller's to judge.
        """
        connect, read = self._timeouts
        whole = read * SLOWNESS if seconds is None else min(seconds, read * SLOWNESS)
        with Deadline(whole) as deadline:
            try:
                with self._session.request(
                    method,
                    self.base_url + path,
                    params=query,
                    json=body,
                    timeout=(min(connect, whole), min(read, whole)),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    self._judge(response)
                    content = self._bounded(response)
            except (OSError, HTTPError) as error:  # requests' own errors are OSErrors
                raise self._again(error, expired=deadline.expired, seconds=whole) from None
            if deadline.expired:  # a body without a length just ends where the connection was cut
                raise self._again(None, expired=True, seconds=whole)
        return Reply(response.status_code, content)

    def _judge(self, response: requests.Response) -> None:
        status = response.status_code
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Unauthorized(
                _(
                    "Offision at %(host)s refused the access token (HTTP %(status)d). Check OFFISION_TOKEN "
                    "against "
                    "Management console -> Settings -> API authentication."
                )
                % {"host": self.host, "status": status}
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TryAgain(
                _("Offision at %(host)s answered with HTTP %(status)d. Asking again later may help.")
                % {"host": self.host, "status": status},
                retry_after=retry_after(response.headers.get("Retry-After")),
            )

    def _bounded(self, response: requests.Response) -> bytes:
        try:
            return read_bounded(response, self._max_bytes)
        except TooLongError:
            raise TooLarge(
                _("Offision at %(host)s sent more than %(most)d bytes in one answer; the rest was not read.")
                % {"host": self.host, "most": self._max_bytes}
            ) from None

    def _again(self, error: Exception | None, *, expired: bool, seconds: float) -> TryAgain:
        if expired:
            why = _("the answer was not complete after %(seconds).1f seconds") % {"seconds": seconds}
        elif isinstance(error, requests.exceptions.SSLError):
            why = _("its certificate could not be verified, or TLS failed")
        elif isinstance(error, requests.exceptions.ConnectTimeout):
            why = _("no connection within %(seconds).1f seconds") % {"seconds": self._timeouts[0]}
        elif isinstance(error, requests.exceptions.Timeout):
            why = _("no answer within %(seconds).1f seconds") % {"seconds": min(self._timeouts[1], seconds)}
        else:
            why = _("the connection failed or broke off (%(kind)s)") % {"kind": type(error).__name__}
        return TryAgain(
            _("Offision at %(host)s could not be asked: %(why)s. Asking again later may help.")
            % {"host": self.host, "why": why}
        )


def retry_after(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks to wait, from 0 to 30; None where it is unreadable."""
    if header is None:
        return None
    try:
        if header.strip().isascii() and header.strip().isdigit():
            seconds = float(header)
        else:
            moment = parsedate_to_datetime(header)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - clock.now()).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)
