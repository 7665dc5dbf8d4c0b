"""HTTP to a controller: bounded in time and size, made once, and never repeated."""

from collections.abc import Mapping
from typing import Any

from doorsync.drivers.errors import Unknown, Unreachable
from portal.core.http import Answer, HttpError, HttpSession

SLOWNESS = 2  # a whole request may take this many time-outs


class HttpClient:
    """Requests to one controller. Each ends within twice the time-out."""

    def __init__(
        self,
        url: str,
        *,
        seconds: float,
        max_bytes: int,
        fingerprint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`seconds`: the time-out. `fingerprint`: of the certificate; "": one that this machine trusts."""
        self.url = url.rstrip("/")
        self._session = HttpSession(
            timeout=seconds, deadline=SLOWNESS * seconds, max_bytes=max_bytes, fingerprint=fingerprint, headers=headers
        )

    def close(self) -> None:
        self._session.close()

    def request(self, method: str, path: str, **more: Any) -> Answer:
        """`more`: the arguments of HttpSession.request. Raises Unreachable where nothing was sent, else Unknown."""
        try:
            return self._session.request(method, self.url + path, **more)
        except HttpError as error:
            raise (Unknown if error.sent else Unreachable)(error.problem) from error
