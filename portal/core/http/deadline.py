"""A deadline that cuts a connection, whatever the other side does."""

import heapq
import itertools
import os
import threading
import time
from contextlib import suppress
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Self


class Deadline:
    """Shuts the watched connection when the time (seconds) is up.

    A read time-out starts anew with every byte, so a server that dribbles could hold a thread for hours: in
    the headers as well as in the body.
    """

    def __init__(self, seconds: float) -> None:
        self.expired = self._over = False
        self._socket: socket | None = None
        self._lock = threading.Lock()
        self.seconds = seconds

    def __enter__(self) -> Self:
        _watchdog.add(time.monotonic() + self.seconds, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
            self._socket = None

    def watch(self, connection: socket) -> None:
        """The connection to shut; at once where the time is up already."""
        with self._lock:
            self._socket = connection
            if self.expired:
                self._shut()

    def expire(self) -> None:
        """The time is up. Nothing happens to a request that has ended."""
        with self._lock:
            if self._over:
                return
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is None:
            return
        # The plain socket's shutdown: a TLS shutdown would free the state that the reading thread uses.
        with suppress(OSError):  # already closed by the other side
            socket.shutdown(self._socket, SHUT_RDWR)


class _Watchdog:
    """One thread for all deadlines: a thread for each request would cost as much as the request."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, moment: float, deadline: Deadline) -> None:
        """Expire the deadline at a moment of time.monotonic()."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._queue, (moment, next(self._numbers), deadline))
            if self._queue[0][2] is deadline:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue or self._queue[0][0] > time.monotonic():
                    self._changed.wait(self._queue[0][0] - time.monotonic() if self._queue else None)
                deadline = heapq.heappop(self._queue)[2]
            deadline.expire()


_watchdog = _Watchdog()


def _new_watchdog() -> None:
    global _watchdog
    _watchdog = _Watchdog()


# Locks and threads do not survive a fork.
os.register_at_fork(after_in_child=_new_watchdog)
