"""HTTP that ends: a whole request bounded in time and its answer in size, whatever the other side does."""

import heapq
import itertools
import os
import re
import threading
import time
from contextlib import suppress
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


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


class Deadline:
    """Cuts this thread's connection when the time (seconds) is up.

    A read time-out starts anew with every byte, so a server that dribbles could hold a thread for hours: in
    the headers as well as in the body.
    """

    current = threading.local()

    def __init__(self, seconds: float) -> None:
        self.expired = self._over = False
        self._socket: socket | None = None
        self._lock = threading.Lock()
        self._seconds = seconds

    def __enter__(self) -> Self:
        self.current.deadline = self
        _watchdog.mind(time.monotonic() + self._seconds, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.current.deadline = None
        with self._lock:
            self._over = True
            self._socket = None

    def watch(self, connection: socket) -> None:
        with self._lock:
            self._socket = connection
            if self.expired:
                self._shut()

    def cut(self) -> None:
        """The time is up. Nothing happens to a request that has ended."""
        with self._lock:
            if self._over:
                return
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is None:
            return
        # The plain socket's shutdown: a TLS one would take its state from under the thread that is reading.
        with suppress(OSError):  # already closed by the other side
            socket.shutdown(self._socket, SHUT_RDWR)


class _Watchdog:
    """One thread that cuts whatever is over its time: a thread for each request would cost as much as the request."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Deadline]] = []
        self._number = itertools.count()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def mind(self, moment: float, deadline: Deadline) -> None:
        """Cut it at a moment of time.monotonic()."""
        with self._news:
            if self._thread is None or not self._thread.is_alive():  # none yet, or left behind by a fork
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._due, (moment, next(self._number), deadline))
            if self._due[0][2] is deadline:
                self._news.notify()

    def _watch(self) -> None:
        while True:
            with self._news:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._news.wait(self._due[0][0] - time.monotonic() if self._due else None)
                deadline = heapq.heappop(self._due)[2]
            deadline.cut()


_watchdog = _Watchdog()


def _new_watchdog() -> None:
    global _watchdog
    _watchdog = _Watchdog()


# Locks and threads do not survive a fork.
os.register_at_fork(after_in_child=_new_watchdog)


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


def normal_fingerprint(text: str) -> str:
    """A certificate's SHA-256 fingerprint as 64 small hexadecimal digits. Raises ValueError where it is none.

    Shorter ones, of hashes that can be forged, are none.
    """
    digits = re.sub(r"[\s:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("A SHA-256 fingerprint has 64 hexadecimal digits.")
    return digits
