"""Many small HTTP requests on open connections, with as little work on this side as possible."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """Answers per second, and the count of each status."""

    per_second: float
    statuses: dict[int, int]


def post_many(url: str, bodies: Sequence[bytes], *, connections: int, headers: str = "") -> Load:
    """POST each body once, over several connections at once."""
    parts = urlsplit(url)
    shares = [bodies[n::connections] for n in range(connections)]
    statuses: list[dict[int, int]] = [{} for _ in shares]
    together = threading.Barrier(connections + 1)

    def work(share: Sequence[bytes], seen: dict[int, int]) -> None:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            together.wait()
            for body in share:
                status = _post(sock, parts.path, parts.netloc, body, headers)
                seen[status] = seen.get(status, 0) + 1

    threads = [threading.Thread(target=work, args=pair) for pair in zip(shares, statuses, strict=True)]
    for thread in threads:
        thread.start()
    together.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    total: dict[int, int] = {}
    for seen in statuses:
        for status, count in seen.items():
            total[status] = total.get(status, 0) + count
    return Load(len(bodies) / took, total)


@dataclass(frozen=True, slots=True)
class Paced:
    """A load at a set pace: the seconds of each answer from when it was due, and the count of each status."""

    took: list[float]
    statuses: dict[int, int]

    def percentile(self, share: float) -> float:
        """The seconds that this share (0 to 1) of the answers needed at most."""
        ordered = sorted(self.took)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def post_paced(url: str, bodies: Sequence[bytes], *, headers: str, per_second: float, connections: int) -> Paced:
    """POST each body when it is due, whether or not earlier ones were answered. Waiting for a connection counts."""
    parts = urlsplit(url)
    due = iter(enumerate(bodies))
    lock = threading.Lock()
    took: list[float] = []
    statuses: dict[int, int] = {}
    begun = time.perf_counter() + 0.2

    def work() -> None:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    number, body = next(due, (-1, b""))
                if number < 0:
                    return
                moment = begun + number / per_second
                time.sleep(max(0.0, moment - time.perf_counter()))
                status = _post(sock, parts.path, parts.netloc, body, headers)
                with lock:
                    took.append(time.perf_counter() - moment)
                    statuses[status] = statuses.get(status, 0) + 1

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Paced(took, statuses)


def _post(sock: socket.socket, path: str, host: str, body: bytes, headers: str = "") -> int:
    sock.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(sock)
    head, rest = answer.split(b"\r\n\r\n", 1)
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].split(b":")[1]) - len(rest) if lengths else 0
    while left > 0:
        left -= len(_more(sock))
    return int(head.split(b" ", 2)[1])


def _more(sock: socket.socket) -> bytes:
    received = sock.recv(65_536)
    if not received:
        raise ConnectionError("The server closed the connection.")
    return received
