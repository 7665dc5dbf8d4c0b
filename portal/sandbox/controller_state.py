"""A pretend door controller: the cards it admits, the doors it holds, its clock, and who came."""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from portal.buildings.model import Controller, SimulatedOptions
from portal.core import clock

Window = tuple[datetime | None, datetime | None]  # UTC, the end exclusive; None: unbounded
Windows = dict[int, list[Window]]  # by door

MAX_WINDOWS = 64
MAX_EVENTS = 10_000
_MAX_KEYS = 1000
_ALWAYS: Window = (None, None)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class InvalidError(Exception):
    """The controller refuses what it is sent; the text is a sentence that says why."""


class FullError(Exception):
    """The controller has no room for another card."""


@dataclass(frozen=True)
class Record:
    """One card and, by door, when it passes. UTC, ends exclusive, sorted."""

    number: str
    doors: Windows


@dataclass(frozen=True)
class Event:
    """Somebody came to a door. `card` is empty for a pulse."""

    index: int
    at: datetime
    door: int
    card: str
    kind: str


def open_at(windows: list[Window], moment: datetime) -> bool:
    """Whether an aware moment lies in any of the windows."""
    return any((start is None or start <= moment) and (end is None or moment < end) for start, end in windows)


def admits(record: Record | None, door: int, moment: datetime) -> bool:
    """Whether the controller opens this door for this card's record (None: not held) at an aware moment."""
    return record is not None and open_at(record.doors.get(door, []), moment)


class PretendController:
    """One controller's memory behind one lock. A controller without time windows holds plain yes or no."""

    def __init__(self, controller: Controller) -> None:
        options = SimulatedOptions.model_validate(controller.options)
        self.name = controller.name
        self.doors = sorted(door.number for door in controller.doors)
        self.windows = options.windows == "per_card_door"
        self.capacity = options.capacity
        self._resolution = options.resolution_seconds
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._holds: Windows = {}
        self._unlocked_until: dict[int, datetime] = {}
        self._clock_offset = timedelta()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._indexes = itertools.count(1)
        self._pulse_keys: OrderedDict[str, None] = OrderedDict()

    def now(self) -> datetime:
        """What the controller's own clock says; aware, UTC."""
        return clock.now() + self._clock_offset

    def set_clock(self, moment: datetime) -> None:
        """Make its clock say this aware moment."""
        self._clock_offset = moment - clock.now()

    def info(self) -> dict[str, Any]:
        """What it is and how full."""
        return {
            "model": f"Pretend {len(self.doors)}-door",
            "firmware": "1.0",
            "serial": f"PRETEND-{self.name}",
            "time": self.now().isoformat(),
            "doors": self.doors,
            "windows": self.windows,
            "resolution_seconds": self._resolution,
            "capacity": self.capacity,
            "cards": len(self._records),
        }

    # Cards -------------------------------------------------------------------------------------------

    def cards(self) -> list[dict[str, Any]]:
        """Every card it holds."""
        with self._lock:
            records = list(self._records.values())
        return [self._card_on_wire(record) for record in records]

    def card(self, number: str) -> dict[str, Any] | None:
        """One card; None when it is not held."""
        with self._lock:
            record = self._records.get(number)
        return None if record is None else self._card_on_wire(record)

    def put_card(self, number: str, doors: object, capacity: int | None = None) -> dict[str, Any]:
        """Hold this record of a card in place of any before. `capacity`: pretend to have only so much.

        Raises InvalidError for doors or windows that it cannot hold, FullError when a new card finds no room.
        """
        record = Record(number, self._windows_by_door(doors))
        room = self.capacity if capacity is None else capacity
        with self._lock:
            if number not in self._records and len(self._records) >= room:
                raise FullError
            self._records[number] = record
        return self._card_on_wire(record)

    def delete_card(self, number: str) -> bool:
        """Forget a card; False when it was not held."""
        with self._lock:
            return self._records.pop(number, None) is not None

    def _card_on_wire(self, record: Record) -> dict[str, Any]:
        return {"number": record.number, "doors": self._on_wire(record.doors)}

    # Doors -------------------------------------------------------------------------------------------

    def holds(self) -> dict[str, Any]:
        """Which doors stand unlocked for anyone, and when."""
        with self._lock:
            return self._on_wire(self._holds)

    def put_holds(self, holds: object) -> dict[str, Any]:
        """Hold these doors unlocked in place of any before. Raises InvalidError as `put_card` does."""
        windows = self._windows_by_door(holds)
        with self._lock:
            self._holds = windows
        return self._on_wire(windows)

    def pulse(self, door: int, seconds: int, key: str) -> bool:
        """Unlock a door for so many seconds; False when this key was used before, and nothing happens.

        Raises InvalidError for a door that it does not have.
        """
        self._check_door(door)
        with self._lock:
            if key in self._pulse_keys:
                return False
            self._pulse_keys[key] = None
            if len(self._pulse_keys) > _MAX_KEYS:
                self._pulse_keys.popitem(last=False)
            self._unlocked_until[door] = self.now() + timedelta(seconds=seconds)
            self._record_event(door, "", opened=True)
        return True

    def swipe(self, door: int, card: str) -> bool:
        """Somebody presents a card at a door now; whether it opens. Raises InvalidError for no such door."""
        self._check_door(door)
        with self._lock:
            moment = self.now()
            opened = (
                admits(self._records.get(card), door, moment)
                or open_at(self._holds.get(door, []), moment)
                or moment < self._unlocked_until.get(door, moment)
            )
            self._record_event(door, card, opened=opened)
        return opened

    def _record_event(self, door: int, card: str, *, opened: bool) -> None:
        kind = "opened" if opened else "denied"
        self._events.append(Event(next(self._indexes), self.now(), door, card, kind))

    def events(self, after: int) -> list[dict[str, Any]]:
        """The events with a higher index, oldest first; no more than the last MAX_EVENTS are kept."""
        with self._lock:
            found = [event for event in self._events if event.index > after]
        return [
            {"index": e.index, "at": e.at.isoformat(), "door": e.door, "card": e.card, "kind": e.kind} for e in found
        ]

    def forget(self) -> None:
        """Lose cards, holds, pulses and the set clock, as after a flat battery. The event log survives."""
        with self._lock:
            self._records.clear()
            self._holds.clear()
            self._unlocked_until.clear()
            self._pulse_keys.clear()
            self._clock_offset = timedelta()

    # Windows, on the wire and off it -----------------------------------------------------------------

    def _on_wire(self, doors: Windows) -> dict[str, Any]:
        if not self.windows:
            return {str(door): True for door in sorted(doors)}
        return {
            str(door): [[_iso(start), _iso(end)] for start, end in windows] for door, windows in sorted(doors.items())
        }

    def _windows_by_door(self, doors: object) -> Windows:
        if not isinstance(doors, Mapping):
            raise InvalidError("What is to be held must be an object with a key a door.")
        made: Windows = {}
        for key, value in doors.items():
            if not (isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 5):
                raise InvalidError("Each key must be a door's number.")
            self._check_door(int(key))
            if windows := self._windows(int(key), value):
                made[int(key)] = windows
        return made

    def _windows(self, door: int, value: object) -> list[Window]:
        if not self.windows:
            if value is not True:
                raise InvalidError(f"Door {door}: this controller has no time windows and takes only true.")
            return [_ALWAYS]
        if not isinstance(value, list) or len(value) > MAX_WINDOWS:
            raise InvalidError(f"Door {door}: there must be a list of at most {MAX_WINDOWS} windows.")
        # Unbounded starts sort first; two of them overlap and are refused below.
        windows = sorted((self._window(door, pair) for pair in value), key=lambda pair: pair[0] or _BEFORE_ALL)
        for (_start, end), (start, _end) in pairwise(windows):
            if end is None or start is None or start < end:
                raise InvalidError(f"Door {door}: two windows overlap.")
        return windows

    def _window(self, door: int, pair: object) -> Window:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InvalidError(f"Door {door}: a window must be a pair of times.")
        start, end = (self._moment(door, each) for each in pair)
        if start is not None and end is not None and start >= end:
            raise InvalidError(f"Door {door}: a window must end after it starts.")
        return start, end

    def _moment(self, door: int, value: object) -> datetime | None:
        if value is None:
            return None
        moment = parse_moment(value)
        if moment is None:
            raise InvalidError(f"Door {door}: a time must be null or ISO 8601 with an offset.")
        if moment.microsecond or moment.timestamp() % self._resolution:
            raise InvalidError(f"Door {door}: this controller counts in steps of {self._resolution} s.")
        return moment

    def _check_door(self, door: int) -> None:
        if door not in self.doors:
            raise InvalidError(f"There is no door {door} on this controller.")


def parse_moment(value: object) -> datetime | None:
    """An ISO 8601 text with an offset as an aware UTC moment; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
