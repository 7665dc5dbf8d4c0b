"""The pretend Offision's calls to subscribers, from threads of their own."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import requests

_SENDERS = 4
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Callback:
    """One call: its address and its JSON."""

    url: str
    payload: dict[str, str]


class CallbackSender:
    """Sends callbacks once each, in any order, and counts them. Its threads end with the process.

    A call that fails, or is answered with 400 or more, is counted and not repeated: nobody knows whether the real
    Offision repeats calls, so the portal must not rely on it.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callback] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._sent = 0
        self._failures = 0
        for number in range(_SENDERS):
            threading.Thread(target=self._send_all, name=f"callbacks-{number}", daemon=True).start()

    def send(self, callback: Callback, *, after_seconds: float = 0.0) -> None:
        """Send from another thread, now or after so many seconds. The call is pending until then."""
        with self._lock:
            self._pending += 1
        if after_seconds > 0:
            timer = threading.Timer(after_seconds, self._queue.put, [callback])
            timer.daemon = True
            timer.start()
        else:
            self._queue.put(callback)

    def counts(self) -> tuple[int, int, int]:
        """The number of calls pending, sent (including failures) and failed."""
        with self._lock:
            return self._pending, self._sent, self._failures

    def _send_all(self) -> None:
        take: Callable[[], Callback] = self._queue.get
        with requests.Session() as session:  # one per thread: sessions are not thread-safe
            session.trust_env = False  # a proxy meant for the internet must not see calls to this machine
            while True:
                failed = not _sent(session, take())
                with self._lock:
                    self._pending -= 1
                    self._sent += 1
                    self._failures += failed


def _sent(session: requests.Session, callback: Callback) -> bool:
    try:
        answer = session.post(callback.url, json=callback.payload, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return False
    return answer.status_code < 400
