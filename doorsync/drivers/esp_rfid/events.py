"""Door events of an esp-rfid reader. The broker keeps them until they are in the log."""

import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from doorsync.drivers.base import DoorEvent
from doorsync.drivers.esp_rfid.client import WINDOW, Broker, Line, Message

KEPT_SECONDS = 30 * 24 * 3600  # so long the broker keeps door events for a portal that is away
DOOR = 1
# 2038-01-01, the last year that a clock of 32 bits knows. As an end it means "without end".
FOREVER = 2145916800

_CLOCK_NEVER_SET = datetime(2020, 1, 1, tzinfo=UTC)
_DIGEST_BITS = 32
_DIGEST_MASK = (1 << _DIGEST_BITS) - 1
_ALARMS = {"Door was tampered!": "forced", "Door wasn't closed within max open time!": "held_open"}


class KeptEvents:
    """The events that the broker keeps of one reader (`topic`). Each method may raise DriverError."""

    def __init__(self, broker: Broker, topic: str, now: datetime) -> None:
        self._broker, self._topic, self._now = broker, topic, now

    def start(self) -> None:
        """Make the broker keep door events from now on."""
        with self._line() as line:
            for _message in self._kept(line):
                pass

    def events(self, *, after: int) -> list[DoorEvent]:
        """At most WINDOW events; the others stay at the broker.

        The broker keeps them until they are acknowledged. The call that names the index of the last one does that: only
        then are they known to be in the log. An index is a count, and a digest of the event that identifies it.
        Events are returned only after the broker has the acknowledgements: otherwise it would send the same ones first
        again, and hide how far the log is.
        """
        pending: list[tuple[int, tuple[datetime, str, str]]] = []
        with self._line() as line:
            unacknowledged: list[Message] = []
            progress = True
            while progress:
                progress = False
                for message in self._kept(line):
                    event = self._event(message)
                    if event is None:
                        line.acknowledge(message)
                        progress = True
                        continue
                    pending.append((zlib.crc32(message.payload), event))
                    unacknowledged.append(message)
                digests = [digest for digest, _event in pending]
                if (after & _DIGEST_MASK) in digests:
                    written = len(digests) - digests[::-1].index(after & _DIGEST_MASK)
                    for message in unacknowledged[:written]:
                        line.acknowledge(message)
                    del pending[:written], unacknowledged[:written]
                    progress = True
        first = (after >> _DIGEST_BITS) + 1
        return [
            DoorEvent((first + n) << _DIGEST_BITS | digest, at, DOOR, card, kind)
            for n, (digest, (at, card, kind)) in enumerate(pending[:WINDOW])
        ]

    def _line(self) -> Line:
        # The session's name has the length that all brokers take.
        session = "portal" + sha256(self._topic.encode()).hexdigest()[:17]
        return Line(self._broker, session=session, kept_seconds=KEPT_SECONDS)

    def _kept(self, line: Line) -> Iterator[Message]:
        return line.kept([f"{self._topic}/send", f"{self._topic}/tag"], own=f"{self._topic}/portal")

    def _event(self, message: Message) -> tuple[datetime, str, str] | None:
        """When, with which card, and of what kind; None for a message about anything else."""
        content = parsed(message.payload)
        kind = _ALARMS.get(str(content.get("desc"))) if content.get("src") == "tamper" else None
        if "access" in content and "uid" in content:
            # With several relays a list, the first relay first.
            access = content["access"][:1] if isinstance(content["access"], list) else [content["access"]]
            kind = "opened" if access in (["Always"], ["Admin"]) else "denied"
            if is_remote(content):
                kind = "unlocked"
        if kind is None:
            return None
        at = datetime.fromtimestamp(min(number(content.get("time")), FOREVER), UTC)
        return (at if at > _CLOCK_NEVER_SET else self._now), str(content.get("uid") or "").strip()[:200], kind


def is_remote(content: Mapping[str, Any]) -> bool:
    """Whether a door was unlocked by a command, with no card."""
    return content.get("username") == "MQTT" and str(content.get("uid")).strip() == ""


def number(value: Any) -> int:
    """As the reader reads it: text as a number, anything else as 0, and nothing below 0."""
    try:
        return max(int(value), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def parsed(payload: bytes) -> dict[str, Any]:
    """A message's JSON object; {} for anything else."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
