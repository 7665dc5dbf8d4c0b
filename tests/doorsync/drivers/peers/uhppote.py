"""A fake UT0311-L04, from the uhppoted project's documentation and simulator: UDP packets of 64 bytes.

It has a codec of its own, and decides as a board does: whoever is named a time profile that is not there is admitted,
a segment goes to the end of its last minute, an empty one admits at midnight, and its clock knows no zone.
"""

import socket
import struct
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.core import clock
from tests.doorsync.drivers.peer import Fault, Peer

SERIAL = 405_419_896
DELETED = 0xFFFFFFFF
NORMALLY_OPEN, NORMALLY_CLOSED, CONTROLLED = 1, 2, 3
MAGIC = 0x55AAAA55
CHANGES = {0x30, 0x40, 0x50, 0x52, 0x80, 0x88, 0x8A, 0x54}
ZONE = ZoneInfo("Europe/London")


@dataclass
class Slot:
    """A place in the board's list of cards."""

    number: int
    first: date | None = None
    last: date | None = None
    doors: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass
class Profile:
    first: date | None
    last: date | None
    weekdays: tuple[bool, ...]
    segments: list[tuple[int, int]]  # HHMM each
    linked: int


@dataclass
class Event:
    kind: int
    granted: bool
    door: int
    card: int
    at: datetime
    reason: int


@dataclass
class Board:
    slots: list[Slot] = field(default_factory=list)
    profiles: dict[int, Profile] = field(default_factory=dict)
    modes: dict[int, int] = field(default_factory=lambda: dict.fromkeys((1, 2, 3, 4), CONTROLLED))
    delays: dict[int, int] = field(default_factory=lambda: dict.fromkeys((1, 2, 3, 4), 5))
    events: list[Event] = field(default_factory=list)
    overwritten: int = 0  # so many events are gone
    room: int = 20_000
    opened: list[int] = field(default_factory=list)
    listener: tuple[str, int] = ("0.0.0.0", 0)  # noqa: S104 (a board's way of saying none)


def bcd(text: str) -> bytes:
    return bytes.fromhex(text)


def as_date(packet: bytes, place: int) -> date | None:
    try:
        return datetime.strptime(packet[place : place + 4].hex(), "%Y%m%d").date()  # noqa: DTZ007 (a board's own day)
    except ValueError:
        return None


def as_packed(day: date | None) -> bytes:
    return bcd(f"{day:%Y%m%d}") if day else bytes(4)


class Uhppote(Peer):
    driver = "uhppote"
    doors = (1, 2, 3, 4)

    def start(self) -> dict[str, Any]:
        self.board = Board()
        self._fault: Fault | None = None
        self._asked = 0
        self.seen: list[bytes] = []
        self._shown, self._set_at = clock.now().astimezone(ZONE).replace(tzinfo=None), clock.now()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        return {
            "serial": SERIAL,
            "address": address,
            "timeout_seconds": 0.1,
            "first_profile": 200,
            "last_profile": 219,
        }

    def stop(self) -> None:
        port = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", port)
        self._thread.join()
        self._socket.close()

    def set_fault(self, fault: Fault | None) -> None:
        self._fault = fault

    # Its clock ----------------------------------------------------------------------------------------------

    def shows(self) -> datetime:
        """What the clock shows: it was set once, and runs on."""
        return self._shown + (clock.now() - self._set_at)

    @property
    def skew(self) -> timedelta:
        return self.shows() - clock.now().astimezone(ZONE).replace(tzinfo=None)

    @skew.setter
    def skew(self, ahead: timedelta) -> None:
        self._shown, self._set_at = clock.now().astimezone(ZONE).replace(tzinfo=None) + ahead, clock.now()

    # Its decisions ------------------------------------------------------------------------------------------

    def opens(self, card: str, door: int) -> bool:
        if self.board.modes[door] != CONTROLLED:
            return self.board.modes[door] == NORMALLY_OPEN
        return any(
            slot.number == int(card) and self._valid(slot) and self._permits(slot.doors[door - 1])
            for slot in self.board.slots
        )

    def _valid(self, slot: Slot) -> bool:
        today = self.shows().date()
        return slot.first is not None and slot.last is not None and slot.first <= today <= slot.last

    def _permits(self, value: int) -> bool:
        if value in (0, 1):
            return value == 1
        seen: set[int] = set()
        while 2 <= value <= 254 and value not in seen:
            seen.add(value)
            profile = self.board.profiles.get(value)
            if profile is None or self._within(profile):
                return True  # so a board takes one that is missing, linked ones, too
            value = profile.linked
        return False

    def _within(self, profile: Profile) -> bool:
        shown = self.shows()
        if profile.first is None or profile.last is None or not profile.first <= shown.date() <= profile.last:
            return False
        minute = shown.hour * 100 + shown.minute
        return profile.weekdays[shown.weekday()] and any(s <= minute <= e for s, e in profile.segments)

    def held_unlocked(self, door: int) -> bool:
        return self.board.modes[door] == NORMALLY_OPEN

    def pulses(self, door: int) -> int:
        return self.board.opened.count(door)

    @property
    def changes_asked(self) -> int:
        return self._asked

    def inside(self) -> Collection[str]:
        return [str(slot.number) for slot in self.board.slots if slot.number not in (0, DELETED)]

    def put_foreign(self, card: str) -> None:
        self.board.slots.append(Slot(int(card), date(2020, 1, 1), date(2030, 12, 31), (1, 0, 0, 0)))

    def forget(self) -> None:
        self.board.slots.clear()
        self.board.profiles.clear()

    def room_for(self, cards: int) -> None:
        self.board.room = cards

    def present(self, card: str, door: int) -> None:
        granted = self.opens(card, door)
        self.board.events.append(Event(1, granted, door, int(card), self.shows(), 1 if granted else 6))

    # The wire -------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(1024)
            if not packet:
                return
            if (answer := self._answer(packet)) is not None:
                self._socket.sendto(answer, sender)

    def _answer(self, packet: bytes) -> bytes | None:
        if len(packet) != 64 or packet[0] != 0x17:
            return None
        function, serial = packet[1], struct.unpack_from("<L", packet, 4)[0]
        if serial not in (0, SERIAL):
            return None
        self.seen.append(packet)
        change = function in CHANGES
        self._asked += change and function != 0x30
        if self._fault is Fault.SILENT:
            return None
        if change and self._fault is Fault.REFUSES:
            return self._packed(function, {8: b"\0"})
        handlers: dict[int, Callable[[bytes], dict[int, bytes] | None]] = {
            0x20: self._status,
            0x30: self._set_time,
            0x32: self._time,
            0x40: self._open,
            0x50: self._put,
            0x52: self._delete,
            0x58: self._count,
            0x5A: self._card,
            0x5C: self._card_at,
            0x80: self._set_door,
            0x82: self._door,
            0x88: self._set_profile,
            0x90: self._set_listener,
            0x92: self._listener,
            0x94: self._who,
            0x98: self._profile,
            0xB0: self._event,
        }
        fields = handlers[function](packet)
        if fields is None or (change and self._fault is Fault.ANSWERS_LOST):
            return None
        return self._packed(function, fields)

    @staticmethod
    def _packed(function: int, fields: dict[int, bytes]) -> bytes:
        answer = bytearray(64)
        answer[0:2] = bytes((0x17, function))
        struct.pack_into("<L", answer, 4, SERIAL)
        for place, value in fields.items():
            answer[place : place + len(value)] = value
        return bytes(answer)

    def _who(self, _packet: bytes) -> dict[int, bytes]:
        return {8: bytes((127, 0, 0, 1)), 26: bcd("0892"), 28: bcd("20180808")}

    def _time(self, _packet: bytes) -> dict[int, bytes]:
        return {8: bcd(f"{self.shows():%Y%m%d%H%M%S}")}

    def _set_time(self, packet: bytes) -> dict[int, bytes]:
        self._shown = datetime.strptime(packet[8:15].hex(), "%Y%m%d%H%M%S")  # noqa: DTZ007 (a board knows no zone)
        self._set_at = clock.now()
        return {8: packet[8:15]}

    def _status(self, _packet: bytes) -> dict[int, bytes]:
        shown = self.shows()
        newest = self.board.overwritten + len(self.board.events)
        fields = {37: bcd(f"{shown:%H%M%S}"), 51: bcd(f"{shown:%y%m%d}")}
        if not self.board.events:
            return fields
        return {**fields, **self._event_fields(newest), 8: struct.pack("<L", newest)}

    def _event_fields(self, index: int) -> dict[int, bytes]:
        event = self.board.events[index - self.board.overwritten - 1]
        return {
            8: struct.pack("<L", index),
            12: bytes((event.kind, event.granted, event.door, 1)),
            16: struct.pack("<L", event.card),
            20: bcd(f"{event.at:%Y%m%d%H%M%S}"),
            27: bytes((event.reason,)),
        }

    def _event(self, packet: bytes) -> dict[int, bytes]:
        (index,) = struct.unpack_from("<L", packet, 8)
        oldest, newest = self.board.overwritten + 1, self.board.overwritten + len(self.board.events)
        if index == 0:
            index = oldest
        if index == 0xFFFFFFFF:
            index = newest
        if index > newest:
            return {8: struct.pack("<L", index)}
        if index < oldest:
            return {8: struct.pack("<L", index), 12: b"\xff"}
        return self._event_fields(index)

    def _listener(self, _packet: bytes) -> dict[int, bytes]:
        return {8: socket.inet_aton(self.board.listener[0]), 12: struct.pack("<H", self.board.listener[1])}

    def _set_listener(self, packet: bytes) -> dict[int, bytes]:
        self.board.listener = socket.inet_ntoa(packet[8:12]), struct.unpack_from("<H", packet, 12)[0]
        return {8: b"\1"}

    def tell(self) -> None:
        """Tell the listener of the newest event, as a board does when it happens."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as teller:
            teller.sendto(self._packed(0x20, self._event_fields(len(self.board.events))), self.board.listener)

    def _find(self, number: int) -> Slot | None:
        return next((slot for slot in self.board.slots if slot.number == number), None)

    def _put(self, packet: bytes) -> dict[int, bytes]:
        (number,) = struct.unpack_from("<L", packet, 8)
        slot = self._find(number)
        if slot is None:
            if number in (0, DELETED) or len(self.inside()) >= self.board.room:
                return {8: b"\0"}
            slot = self._find(DELETED) or Slot(number)
            if slot not in self.board.slots:
                self.board.slots.append(slot)
        slot.number, slot.first, slot.last = number, as_date(packet, 12), as_date(packet, 16)
        slot.doors = (packet[20], packet[21], packet[22], packet[23])
        return {8: b"\1"}

    def _delete(self, packet: bytes) -> dict[int, bytes]:
        slot = self._find(struct.unpack_from("<L", packet, 8)[0])
        if slot is None:
            return {8: b"\0"}
        slot.number = DELETED
        return {8: b"\1"}

    def _count(self, _packet: bytes) -> dict[int, bytes]:
        return {8: struct.pack("<L", len(self.inside()))}

    @staticmethod
    def _slot_fields(slot: Slot | None) -> dict[int, bytes]:
        if slot is None:
            return {}
        if slot.number == DELETED:
            return {8: struct.pack("<L", DELETED)}
        return {
            8: struct.pack("<L", slot.number),
            12: as_packed(slot.first),
            16: as_packed(slot.last),
            20: bytes(slot.doors),
        }

    def _card(self, packet: bytes) -> dict[int, bytes]:
        return self._slot_fields(self._find(struct.unpack_from("<L", packet, 8)[0]))

    def _card_at(self, packet: bytes) -> dict[int, bytes]:
        (index,) = struct.unpack_from("<L", packet, 8)
        return self._slot_fields(self.board.slots[index - 1] if 0 < index <= len(self.board.slots) else None)

    def _door(self, packet: bytes) -> dict[int, bytes]:
        door = packet[8]
        return {8: bytes((door, self.board.modes[door], self.board.delays[door]))}

    def _set_door(self, packet: bytes) -> dict[int, bytes]:
        door, mode, delay = packet[8:11]
        self.board.modes[door], self.board.delays[door] = mode, delay
        return {8: bytes((door, mode, delay))}

    def _open(self, packet: bytes) -> dict[int, bytes]:
        self.board.opened.append(packet[8])
        return {8: b"\1"}

    def _set_profile(self, packet: bytes) -> dict[int, bytes]:
        number = packet[8]
        if not 2 <= number <= 254:
            return {8: b"\0"}
        times = [int(packet[place : place + 2].hex()) for place in range(24, 36, 2)]
        self.board.profiles[number] = Profile(
            as_date(packet, 9),
            as_date(packet, 13),
            tuple(bool(packet[place]) for place in range(17, 24)),
            list(zip(times[::2], times[1::2], strict=True)),
            packet[36],
        )
        return {8: b"\1"}

    def _profile(self, packet: bytes) -> dict[int, bytes]:
        profile = self.board.profiles.get(packet[8])
        if profile is None:
            return {}
        times = b"".join(bcd(f"{edge:04d}") for segment in profile.segments for edge in segment)
        return {
            8: packet[8:9],
            9: as_packed(profile.first),
            13: as_packed(profile.last),
            17: bytes(profile.weekdays),
            24: times,
            36: bytes((profile.linked,)),
        }
