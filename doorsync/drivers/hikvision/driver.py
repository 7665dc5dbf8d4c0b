"""Hikvision access-control terminals and controllers (DS-K1T…, DS-K26…, DS-K27…) by ISAPI, persons by `employeeNo`.

These devices open a door to a person, and cards belong to persons. The portal makes one person for each card, named
`portal` and the card's number, and never changes other persons: a card of another person is taken over once staff adopt
it, and the person stays with all their other credentials. The facts are from the vendor's public "ISAPI Developer Guide
(Person-Based Access Control)"; comments name those that only integrators report.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Annotated, Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Full,
    Granularity,
    Hold,
    Refused,
    Unknown,
)
from doorsync.drivers.hikvision import problems
from doorsync.drivers.hikvision.client import Isapi, understood
from doorsync.drivers.hikvision.events import events_after
from doorsync.drivers.options import DriverOptions, OptionalFingerprint, matching, option
from doorsync.drivers.problems import DOOR_LOCKED, NO_SUCH_DOOR, URL_EXPECTED
from doorsync.policy import naive_clock
from doorsync.policy.naive_clock import NaiveWindow
from doorsync.policy.windows import ALWAYS, DoorWindows, Window, Windows
from portal.core.problems import Problems

PREFIX = "portal"
LONGEST_CARD = 20  # cardNo, letters and digits
ALL_DAY = "1"  # the plan template that a device is delivered with
# Valid takes times within these; a person valid all along is valid for ever.
FIRST, LAST = datetime(2000, 1, 1), datetime(2037, 12, 31, 23, 59, 59)  # noqa: DTZ001 (as a clock without zone shows)
SECOND = timedelta(seconds=1)

# doorStatus: 1 asleep, 2 remains open, 3 remains closed, 4 normal.
_REMAINS_OPEN, _REMAINS_CLOSED = 2, 3


class HikvisionOptions(DriverOptions):
    url: Annotated[str, matching(r"^https?://[^\s/@]+/?$", URL_EXPECTED)] = option(
        title=_("address"),
        description=_("Such as http://192.168.1.64. Without https:// anyone on the same network can read along."),
    )
    username: str = option(
        min_length=1,
        max_length=32,
        title=_("user name"),
        description=_("Of a user of the portal's own on the device, not a person's."),
    )
    password: SecretStr = option(title=_("password"))
    fingerprint: OptionalFingerprint = option(
        "",
        title=_("certificate fingerprint"),
        description=_("SHA-256, for an https:// address whose certificate the device made itself."),
    )


class Holder(NamedTuple):
    """The holder of a card there: the person's employeeNo, and the kind of card."""

    person: str
    kind: str


@dataclass
class Memory:
    """What the device held when it was read, kept up with what was written since."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    cards: dict[str, Holder] = field(default_factory=dict)
    doors: int = 0  # how many; 0 where that was not read


class HikvisionDriver(Driver):
    Options = HikvisionOptions
    options: HikvisionOptions
    verified = _(
        "Not verified against a real device: tested against a fake of our own, written from Hikvision's public ISAPI "
        "documentation and what integrators published."
    )
    capabilities = Capabilities(
        windows=Granularity.PERSON, hold=Hold.NOW, events=True, sets_clock=True, naive_clock=True
    )
    # How long a device may take to delete a person, in time-outs.
    deletion_timeouts = 2.0

    def set_up(self) -> None:
        self._device = Isapi(
            self.options.url,
            username=self.options.username,
            password=self.options.password.get_secret_value(),
            fingerprint=self.options.fingerprint,
            seconds=self.options.timeout_seconds,
            now=self.now,
        )
        self._memory: Memory | None = None

    def info(self) -> DeviceInfo:
        device = self._device.xml("GET", "System/deviceInfo")
        shown = self._device.xml("GET", "System/time")
        most = [n for kind in ("UserInfo", "CardInfo") if (n := self._device.limits(kind).most) is not None]
        with understood():
            mode = shown["timeMode"]
            return DeviceInfo(
                model=device["model"],
                firmware=device.get("firmwareVersion", ""),
                serial=device["serialNumber"],
                time=naive_clock.meant_by(_naive(shown["localTime"]), self.zone, self.now),
                capacity=min(most, default=None),
                notes=Problems() if mode == "manual" else Problems([problems.CLOCK_FOLLOWS(mode=mode[:40])]),
            )

    def read(self) -> Actual:
        memory = Memory()
        for person in self._device.search("UserInfo"):
            with understood():
                memory.people[str(person["employeeNo"])] = person
        for card in self._device.search("CardInfo"):
            with understood():
                memory.cards[str(card["cardNo"])] = Holder(str(card["employeeNo"]), card.get("cardType", "normalCard"))
        states = self._states()
        memory.doors = len(states)
        self._memory = memory
        with understood():
            records = {number: self.record_of(memory, holder) for number, holder in memory.cards.items()}
        # A person of the portal's without a card (not yet, or no longer) is half an entry, and the portal's too.
        for name in memory.people:
            if name.startswith(PREFIX) and _fits(number := name.removeprefix(PREFIX)):
                records.setdefault(number, {})
        holds = {door: (ALWAYS,) for door, state in enumerate(states, 1) if state == _REMAINS_OPEN}
        return Actual(cards=records, holds=holds)

    def put(self, card: str, record: DoorWindows) -> None:
        if not _fits(card):
            raise Refused(problems.CARD_NUMBER(n=LONGEST_CARD))
        own = PREFIX + card
        memory, holder = self._recall(card)
        if memory.doors and (beyond := [door for door in record if door > memory.doors]):
            raise Refused(NO_SUCH_DOOR(door=min(beyond)))
        for person in (own, holder.person if holder else ""):
            if _is_blocked(memory.people.get(person, {})):
                raise Refused(problems.BLOCKLISTED())
        # The person first: a card without rights opens nothing, and a card without a person can't exist.
        if own in memory.people:
            self._change("PUT", "UserInfo/Modify", {"UserInfo": self.person_of(own, record)})
        else:
            most = self._device.limits("UserInfo").most
            if self._memory is not None and most is not None and len(memory.people) >= most:
                raise Full(problems.FULL_OF_PERSONS(n=most))
            self._change("POST", "UserInfo/Record", {"UserInfo": self.person_of(own, record)})
        memory.people[own] = {}
        if holder is not None and holder.person != own:
            self._delete_card(card)
            del memory.cards[card]
            holder = None
        info = {"CardInfo": {"employeeNo": own, "cardNo": card, "cardType": "normalCard"}}
        if holder is None:
            self._change("POST", "CardInfo/Record", info)
        elif holder.kind != "normalCard":
            self._change("PUT", "CardInfo/Modify", info)
        memory.cards[card] = Holder(own, "normalCard")

    def remove(self, card: str) -> None:
        own = PREFIX + card
        memory, holder = self._recall(card)
        # The card first: a device deletes it at once, and a person after a while.
        if holder is not None:
            self._delete_card(card)
            del memory.cards[card]
        if own in memory.people:
            self._delete_person(own)
            del memory.people[own]

    def hold(self, door: int, held: Windows) -> None:
        states = self._states()
        if door > len(states):
            raise Refused(NO_SUCH_DOOR(door=door))
        if states[door - 1] == _REMAINS_CLOSED:
            raise Refused(DOOR_LOCKED(door=door))
        # "close" returns to normal: locked, and open to cards.
        self._command(door, "alwaysOpen" if held else "close")

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # The device's own setting says for how long; it knows no keys.
        self._command(door, "open")

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return events_after(self._device, after, self.zone)

    def set_clock(self, moment: datetime) -> None:
        time_now = self._device.xml("GET", "System/time")
        with understood():
            mode, zone = time_now["timeMode"], time_now.get("timeZone", "")
        if mode != "manual":
            raise Refused(problems.CLOCK_NOT_OURS(mode=mode[:40]))
        shown = naive_clock.shown_at(moment, self.zone).replace(microsecond=0)
        self._device.xml(
            "PUT",
            "System/time",
            '<Time version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><timeMode>manual</timeMode>'
            f"<localTime>{shown.isoformat()}</localTime>"
            + (f"<timeZone>{escape(zone)}</timeZone>" if zone else "")
            + "</Time>",
        )

    def close(self) -> None:
        self._device.close()

    def encode(self, wanted: DoorWindows) -> DoorWindows:
        return {door: tuple(map(self._within_range, windows)) for door, windows in super().encode(wanted).items()}

    # Persons, cards, and their rights -------------------------------------------------------------------------

    def _within_range(self, window: Window) -> Window:
        """The window as a device reads it: no start before FIRST, and no end after LAST."""
        ((start, end),) = naive_clock.to_naive_clock((window,), self.zone, self.now)
        return Window(
            None if start is None or start <= FIRST else window.start, None if end is None or end > LAST else window.end
        )

    def person_of(self, employee: str, record: DoorWindows) -> dict[str, Any]:
        """The person as the device stores it, with the rights of this record."""
        (windows,) = set(record.values())
        ((start, end),) = naive_clock.to_naive_clock(windows, self.zone, self.now)
        return {
            "employeeNo": employee,
            "name": employee,
            "userType": "normal",
            "Valid": {
                "enable": True,
                "beginTime": (start or FIRST).isoformat(),
                # The documentation does not say whether the last second counts. The portal assumes that it does.
                "endTime": (LAST if end is None else end - SECOND).isoformat(),
                "timeType": "local",
            },
            "doorRight": ",".join(map(str, sorted(record))),
            "RightPlan": [{"doorNo": door, "planTemplateNo": ALL_DAY} for door in sorted(record)],
        }

    def record_of(self, memory: Memory, holder: Holder) -> DoorWindows:
        """What a card opens. A right that the portal never writes has its window twice: it differs from all of ours."""
        if holder.kind == "superCard":
            return dict.fromkeys(range(1, memory.doors + 1), (ALWAYS, ALWAYS))
        person = memory.people.get(holder.person)
        if person is None or _is_blocked(person):
            return {}
        valid, readable = self._valid(person.get("Valid") or {})
        rights = {int(n) for n in str(person.get("doorRight") or "").split(",") if n.strip()}
        plans = {int(plan["doorNo"]): str(plan["planTemplateNo"]) for plan in person.get("RightPlan") or ()}
        usual = readable and holder.kind == "normalCard"
        return {
            door: (valid,) if usual and door in rights and plans.get(door) == ALL_DAY else (valid, valid)
            for door in rights | plans.keys()
        }

    def _valid(self, valid: Mapping[str, Any]) -> tuple[Window, bool]:
        """When a person is valid, and whether that was readable; otherwise always."""
        if str(valid.get("enable", True)).casefold() == "false":
            return ALWAYS, True
        try:
            if valid.get("timeType", "local") != "local":
                start, last = (datetime.fromisoformat(str(valid[name])) for name in ("beginTime", "endTime"))
                return Window(start.astimezone(UTC), last.astimezone(UTC) + SECOND), False
            start, last = _naive(valid["beginTime"]), _naive(valid["endTime"])
            shown = NaiveWindow(None if start <= FIRST else start, None if last >= LAST else last + SECOND)
            (window,) = naive_clock.from_naive_clock((shown,), self.zone, self.now)
        except (KeyError, TypeError, ValueError, OverflowError):
            return ALWAYS, False
        return window, True

    def _recall(self, card: str) -> tuple[Memory, Holder | None]:
        """The persons behind a card, and its holder: as read in this piece of work, or else read now."""
        memory = self._memory
        if memory is None:
            memory = Memory()
            for entry in self._device.search("CardInfo", CardNoList=[{"cardNo": card}]):
                with understood():
                    if entry["cardNo"] == card:
                        memory.cards[card] = Holder(str(entry["employeeNo"]), entry.get("cardType", "normalCard"))
            names = {PREFIX + card, *(holder.person for holder in memory.cards.values())}
            for person in self._device.search(
                "UserInfo", EmployeeNoList=[{"employeeNo": name} for name in sorted(names)]
            ):
                with understood():
                    memory.people[str(person["employeeNo"])] = person
        return memory, memory.cards.get(card)

    def _delete_card(self, card: str) -> None:
        self._change("PUT", "CardInfo/Delete", {"CardInfoDelCond": {"CardNoList": [{"cardNo": card}]}})

    def _delete_person(self, employee: str) -> None:
        """Delete a person with all their credentials. The device takes a while, and is asked until it has finished."""
        body = {"mode": "byEmployeeNo", "EmployeeNoList": [{"employeeNo": employee}]}
        self._change("PUT", "UserInfoDetail/Delete", {"UserInfoDetail": body})
        last_moment, pause = time.monotonic() + self.deletion_timeouts * self.options.timeout_seconds, 0.05
        while True:
            with understood():
                answer = self._device.json("GET", "AccessControl/UserInfoDetail/DeleteProcess")
                status = answer["UserInfoDetailDeleteProcess"]["status"]
            if status == "success":
                return
            if status != "processing":
                raise Unknown(problems.DELETION_FAILED(status=str(status)[:40]))
            if time.monotonic() + pause > last_moment:
                raise Unknown(problems.DELETING())
            time.sleep(pause)
            pause *= 2

    # The wire -------------------------------------------------------------------------------------------------

    def _change(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._device.json(method, f"AccessControl/{path}", body)
        except Unknown:
            self._memory = None  # it must be read again
            raise

    def _command(self, door: int, command: str) -> None:
        self._device.xml(
            "PUT",
            f"AccessControl/RemoteControl/door/{door}",
            f'<RemoteControlDoor version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema"><cmd>{command}</cmd>'
            "</RemoteControlDoor>",
        )

    def _states(self) -> list[int]:
        """Each door's doorStatus, from the first on."""
        answer = self._device.json("GET", "AccessControl/AcsWorkStatus")
        with understood():
            return [int(state) for state in answer["AcsWorkStatus"]["doorStatus"]]


def _fits(card: str) -> bool:
    return card.isascii() and card.isalnum() and len(card) <= LONGEST_CARD


def _is_blocked(person: Mapping[str, Any]) -> bool:
    return str(person.get("userType", "")).casefold() in ("blacklist", "blocklist")


def _naive(text: Any) -> datetime:
    """What a clock without zone shows; a zone in the text is the device's own, and means nothing."""
    return datetime.fromisoformat(str(text)).replace(tzinfo=None)
