"""One HTTP request to Offision and its answer. Knows no contract."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from requests.auth import HTTPBasicAuth

from portal.core import clock
from portal.core.http import Answer, HttpError, HttpSession, TooLong
from portal.offision import problems
from portal.offision.errors import ContractError, TooLarge, TryAgain, Unauthorized

POOL_SIZE = 32  # idle connections kept; more than the threads of a worker
LONGEST_WAIT = 30.0  # seconds; a longer Retry-After counts as this
SLOWNESS = 3  # a whole request may take this many read time-outs


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
        raise ContractError(problems.BAD_URL())
    return parts, parts.hostname


class Transport:
    """A pooled session to one server. Safe to share between threads."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        style: str,
        ca_file: str,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int,
    ) -> None:
        """Time-outs in seconds. Raises ContractError where the address or the token cannot be used."""
        parts, host = _address(base_url)
        if parts.scheme == "http" and not _is_loopback(host):
            raise ContractError(problems.PLAIN_URL())
        if not token or not token.isascii() or not token.isprintable() or token != token.strip():
            raise ContractError(problems.BAD_TOKEN())
        self.host = parts.netloc
        self.base_url = base_url.rstrip("/")
        self._session = HttpSession(
            timeout=(connect_timeout, read_timeout),
            deadline=read_timeout * SLOWNESS,
            max_bytes=max_bytes,
            headers={"Accept": "application/json"} | ({"Authorization": token} if style == "bare" else {}),
            auth=HTTPBasicAuth(token, "") if style == "basic" else None,
            ca_file=ca_file,
            pool_size=POOL_SIZE,
        )
        self._deadline = read_timeout * SLOWNESS

    def send(
        self, method: str, path: str, *, query: dict[str, Any], body: Any = None, seconds: float | None = None
    ) -> Answer:
        """Send one request and read its whole answer, within `seconds` if that is less than usual.

        Raises TryAgain, Unauthorized or TooLarge. The caller judges every other status.
        """
        deadline = self._deadline if seconds is None else min(seconds, self._deadline)
        try:
            answer = self._session.request(method, self.base_url + path, query=query, json=body, deadline=deadline)
        except HttpError as error:
            if error.answer is not None:  # a status that came says more than what broke after it
                self._judge(error.answer.status, error.answer.headers)
            if isinstance(error, TooLong):
                raise TooLarge(problems.TOO_LARGE(host=self.host, most=error.problem.params["most"])) from None
            raise TryAgain(problems.NO_ANSWER(host=self.host, why=error.problem)) from None
        self._judge(answer.status, answer.headers)
        return answer

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Unauthorized(problems.TOKEN_REFUSED(host=self.host, status=status))
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TryAgain(
                problems.SERVER_ERROR(host=self.host, status=status),
                retry_after=retry_after(headers.get("Retry-After")),
            )


def retry_after(header: str | None) -> float | None:
    """The seconds to wait by a Retry-After header, from 0 to 30; None where it is unreadable."""
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
