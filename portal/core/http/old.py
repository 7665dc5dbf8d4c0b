"""The session's predecessors, until the last driver uses HttpSession. Then this module goes, and Deadline.current."""

from socket import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from portal.core.http.deadline import Deadline
from portal.core.http.session import normal_fingerprint


class TooLongError(Exception):
    """The body is longer than the caller would read."""


def read_bounded(response: requests.Response, max_bytes: int) -> bytes:
    """The body of a streamed answer. Raises TooLongError, and leaves the rest unread, beyond so many bytes."""
    content = bytearray()
    for chunk in response.iter_content(65536):
        content += chunk
        if len(content) > max_bytes:
            raise TooLongError
    return bytes(content)


class _Watched(HTTPConnection):
    def getresponse(self) -> Any:
        _watch(self.sock)
        return super().getresponse()


class _WatchedTLS(HTTPSConnection):
    def getresponse(self) -> Any:
        _watch(self.sock)
        return super().getresponse()


def _watch(connection: socket | None) -> None:
    deadline: Deadline | None = getattr(Deadline.current, "deadline", None)
    if deadline is not None and connection is not None:
        deadline.watch(connection)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


class DeadlineAdapter(HTTPAdapter):
    """To be mounted on the session whose requests are made within a Deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


class PinnedAdapter(DeadlineAdapter):
    """For a box with a certificate of its own making: this one, and no other, whoever signed it for whatever name."""

    def __init__(self, fingerprint: str) -> None:
        """`fingerprint`: the certificate's SHA-256, in hexadecimal, with or without colons. Raises ValueError."""
        self._fingerprint = normal_fingerprint(fingerprint)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._fingerprint)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        # Its connections would not be compared with the fingerprint.
        raise requests.exceptions.ProxyError("A box with a pinned certificate is spoken to directly.")

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        # Nobody's signature is asked for: the fingerprint is compared in each connection, before anything is sent.
        return super().send(request, **{**kwargs, "verify": False})
