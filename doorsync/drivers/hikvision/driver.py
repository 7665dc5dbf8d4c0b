"""Hikvision access-control terminals and controllers (DS-K1T…, DS-K26…, DS-K27…) by ISAPI, persons by `employeeNo`.

Here a door is open to a person, and cards belong to persons. The portal makes one person a card, `portal` and the
card's number, and never changes anybody else's: a card that another person holds is taken over once it is adopted, and
the person stays, with whatever else is theirs. Facts of the vendor's are from its public "ISAPI Developer Guide
(Person-Based Access Control)", but where integrators are named.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

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
    validated,
)
from doorsync.drivers.hikvision.client import Isapi, understood
from doorsync.drivers.hikvision.events import events_after
from doorsync.policy import naive_clock
from doorsync.policy.naive_clock import NaiveWindow
from doorsync.policy.windows import ALWAYS, Record, Window, Windows

PREFIX = "portal"
LONGEST_CARD = 20  # cardNo, letters and digits
ALL_DAY = "1"  # the plan template that a device is delivered with
# Valid takes times within these; a person valid all along is valid for ever.
FIRST, LAST = datetime(2000, 1, 1), datetime(2037, 12, 31, 23, 59, 59)  # noqa: DTZ001 (as a clock without zone shows)
SECOND = timedelta(seconds=1)

# doorStatus: 1 asleep, 2 remains open, 3 remains closed, 4 normal.
_REMAINS_OPEN, _REMAINS_CLOSED = 2, 3


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^https?://[^\s/@]+/?$",
        title=str(gettext_lazy("address")),
        description=str(
            gettext_lazy("Such as http://192.168.1.64. Without https:// anyone on the same network can read along.")
        ),
    )
    username: str = Field(
        min_length=1,
        max_length=32,
        title=str(gettext_lazy("user name")),
        description=str(gettext_lazy("Of a user of the portal's own on the device, not a person's.")),
    )
    password: SecretStr = Field(title=str(gettext_lazy("password")))
    fingerprint: str = Field(
        default="",
        title=str(gettext_lazy("fingerprint of the certificate")),
        description=str(gettext_lazy("SHA-256, for an https:// address whose certificate the device made itself.")),
    )
    timeout_seconds: float = Field(default=5, gt=0, le=30, title=str(gettext_lazy("time-out (seconds)")))

    @field_validator("fingerprint")
    @classmethod
    def _is_sha256(cls, value: str) -> str:
        digits = value.replace(":", "").strip().lower()
        if digits and (len(digits) != 64 or not set(digits) <= set("0123456789abcdef")):
            raise ValueError(_("it must be 64 hexadecimal digits"))
        return digits


class Holder(NamedTuple):
    """Who holds a card there: the person's employeeNo, and what kind of card it is."""

    person: str
    kind: str


@dataclass
class _Held:
    """What the device held when it was read, kept up with what was written since."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    cards: dict[str, Holder] = field(default_factory=dict)
    doors: int = 0  # how many; 0 where that was not asked


class HikvisionDriver(Driver):
    Options = Options
    verified = gettext_lazy(
        "Not verified against a real device: tested against a fake of our own, written from Hikvision's public ISAPI "
        "documentation and what integrators published."
    )

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = validated(Options, options)
        self.capabilities = Capabilities(
            windows=Granularity.PERSON,
            resolution_seconds=1,
            holds_cards=True,
            lists_cards=True,
            pulse=True,
            hold=Hold.NOW,
            events=True,
            sets_clock=True,
            naive_clock=True,
        )
        self._device = Isapi(
            self._options.url,
            username=self._options.username,
            password=self._options.password.get_secret_value(),
            fingerprint=self._options.fingerprint,
            seconds=self._options.timeout_seconds,
            now=now,
        )
        self._held: _Held | None = None

    # What the portal asks ---------------------------------------------------------------------------------

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
                found="" if mode == "manual" else _("its clock is set by %(mode)s") % {"mode": mode[:40]},
            )

    def read(self) -> Actual:
        held = _Held()
        for person in self._device.search("UserInfo"):
            with understood():
                held.people[str(person["employeeNo"])] = person
        for card in self._device.search("CardInfo"):
            with understood():
                held.cards[str(card["cardNo"])] = Holder(str(card["employeeNo"]), card.get("cardType", "normalCard"))
        states = self._states()
        held.doors = len(states)
        self._held = held
        with understood():
            records = {number: self._record(held, holder) for number, holder in held.cards.items()}
        # A person of the portal's whose card is not there (yet, or any more) is half an entry, and no less its own.
        for name in held.people:
            if name.startswith(PREFIX) and _fits(number := name.removeprefix(PREFIX)):
                records.setdefault(number, {})
        holds = {door: (ALWAYS,) for door, state in enumerate(states, 1) if state == _REMAINS_OPEN}
        return Actual(cards=records, holds=holds)

    def put(self, card: str, record: Record) -> None:
        if not _fits(card):
            raise Refused(
                _("The device takes card numbers of up to %(n)d letters and digits, and nothing else.")
                % {"n": LONGEST_CARD}
            )
        own = PREFIX + card
        held, holder = self._whereabouts(card)
        if held.doors and (beyond := [door for door in record if door > held.doors]):
            raise Refused(_("The device has no door %(door)d.") % {"door": min(beyond)})
        for person in (own, holder.person if holder else ""):
            if _blocked(held.people.get(person, {})):
                raise Refused(_("The device has this card's person on its blocklist. Take them off it there."))
        # The person first: a card without rights opens nothing, and one that is nobody's can't be.
        if own in held.people:
            self._change("PUT", "UserInfo/Modify", {"UserInfo": self._person(own, record)})
        else:
            most = self._device.limits("UserInfo").most
            if self._held is not None and most is not None and len(held.people) >= most:
                raise Full(_("The device is full: it has room for %(n)d persons.") % {"n": most})
            self._change("POST", "UserInfo/Record", {"UserInfo": self._person(own, record)})
        held.people[own] = {}
        if holder is not None and holder.person != own:
            self._delete_card(card)
            del held.cards[card]
            holder = None
        info = {"CardInfo": {"employeeNo": own, "cardNo": card, "cardType": "normalCard"}}
        if holder is None:
            self._change("POST", "CardInfo/Record", info)
        elif holder.kind != "normalCard":
            self._change("PUT", "CardInfo/Modify", info)
        held.cards[card] = Holder(own, "normalCard")

    def remove(self, card: str) -> None:
        own = PREFIX + card
        held, holder = self._whereabouts(card)
        # The card first: it is gone at once, and a person takes the device a while.
        if holder is not None:
            self._delete_card(card)
            del held.cards[card]
        if own in held.people:
            self._delete_person(own)
            del held.people[own]

    def hold(self, door: int, held: Windows) -> None:
        states = self._states()
        if door > len(states):
            raise Refused(_("The device has no door %(door)d.") % {"door": door})
        if states[door - 1] == _REMAINS_CLOSED:
            raise Refused(
                _("Door %(door)d is set to stay locked for everybody, at the device. The portal leaves it so.")
                % {"door": door}
            )
        # "close" is back to normal: locked, and open to cards.
        self._command(door, "alwaysOpen" if held else "close")

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # For how long is the device's own setting; it knows no keys.
        self._command(door, "open")

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return events_after(self._device, after, self.zone)

    def set_clock(self, moment: datetime) -> None:
        time_now = self._device.xml("GET", "System/time")
        with understood():
            mode, zone = time_now["timeMode"], time_now.get("timeZone", "")
        if mode != "manual":
            raise Refused(
                _(
                    "its clock is set by %(mode)s, and the portal does not set it; see to it that the time zone and "
                    "daylight saving are right there, or choose manual time"
                )
                % {"mode": mode[:40]}
            )
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

    def encode(self, wanted: Record) -> Record:
        return {door: tuple(map(self._within_range, found)) for door, found in super().encode(wanted).items()}

    # Persons, cards, and what they may ------------------------------------------------------------------------

    def _within_range(self, window: Window) -> Window:
        """The window as a device reads it that knows no time before FIRST and none after LAST."""
        ((start, end),) = naive_clock.to_naive_clock((window,), self.zone, self.now)
        return Window(
            None if start is None or start <= FIRST else window.start, None if end is None or end > LAST else window.end
        )

    def _person(self, employee: str, record: Record) -> dict[str, Any]:
        (found,) = set(record.values())
        ((start, end),) = naive_clock.to_naive_clock(found, self.zone, self.now)
        return {
            "employeeNo": employee,
            "name": employee,
            "userType": "normal",
            "Valid": {
                "enable": True,
                "beginTime": (start or FIRST).isoformat(),
                # The documentation does not say whether the last second counts. Here it is taken to.
                "endTime": (LAST if end is None else end - SECOND).isoformat(),
                "timeType": "local",
            },
            "doorRight": ",".join(map(str, sorted(record))),
            "RightPlan": [{"doorNo": door, "planTemplateNo": ALL_DAY} for door in sorted(record)],
        }

    def _record(self, held: _Held, holder: Holder) -> Record:
        """What a card opens. What the portal never writes so is said twice: it must not pass for the portal's."""
        if holder.kind == "superCard":
            return dict.fromkeys(range(1, held.doors + 1), (ALWAYS, ALWAYS))
        person = held.people.get(holder.person)
        if person is None or _blocked(person):
            return {}
        valid, understandable = self._valid(person.get("Valid") or {})
        rights = {int(n) for n in str(person.get("doorRight") or "").split(",") if n.strip()}
        plans = {int(plan["doorNo"]): str(plan["planTemplateNo"]) for plan in person.get("RightPlan") or ()}
        usual = understandable and holder.kind == "normalCard"
        return {
            door: (valid,) if usual and door in rights and plans.get(door) == ALL_DAY else (valid, valid)
            for door in rights | plans.keys()
        }

    def _valid(self, valid: Mapping[str, Any]) -> tuple[Window, bool]:
        """When a person is valid, and whether that could be read; else always."""
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

    def _whereabouts(self, card: str) -> tuple[_Held, Holder | None]:
        """The persons behind a card, and who holds it: as read in this piece of work, or asked for now."""
        held = self._held
        if held is None:
            held = _Held()
            for found in self._device.search("CardInfo", CardNoList=[{"cardNo": card}]):
                with understood():
                    if found["cardNo"] == card:
                        held.cards[card] = Holder(str(found["employeeNo"]), found.get("cardType", "normalCard"))
            names = {PREFIX + card, *(holder.person for holder in held.cards.values())}
            for person in self._device.search(
                "UserInfo", EmployeeNoList=[{"employeeNo": name} for name in sorted(names)]
            ):
                with understood():
                    held.people[str(person["employeeNo"])] = person
        return held, held.cards.get(card)

    def _delete_card(self, card: str) -> None:
        self._change("PUT", "CardInfo/Delete", {"CardInfoDelCond": {"CardNoList": [{"cardNo": card}]}})

    def _delete_person(self, employee: str) -> None:
        """Delete a person with all that is theirs. The device does so by and by, and is asked until it has."""
        body = {"mode": "byEmployeeNo", "EmployeeNoList": [{"employeeNo": employee}]}
        self._change("PUT", "UserInfoDetail/Delete", {"UserInfoDetail": body})
        last_moment, pause = time.monotonic() + 2 * self._options.timeout_seconds, 0.05
        while True:
            with understood():
                answer = self._device.json("GET", "AccessControl/UserInfoDetail/DeleteProcess")
                status = answer["UserInfoDetailDeleteProcess"]["status"]
            if status == "success":
                return
            if status != "processing":
                raise Unknown(_("The device says of the deletion: %(status)s.") % {"status": str(status)[:40]})
            if time.monotonic() + pause > last_moment:
                raise Unknown(_("The device has not finished deleting yet."))
            time.sleep(pause)
            pause *= 2

    # The wire -------------------------------------------------------------------------------------------------

    def _change(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        try:
            self._device.json(method, f"AccessControl/{path}", body)
        except Unknown:
            self._held = None  # what is there now must be asked for
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


def _blocked(person: Mapping[str, Any]) -> bool:
    return str(person.get("userType", "")).casefold() in ("blacklist", "blocklist")


def _naive(text: Any) -> datetime:
    """What a clock without zone shows; a zone that is told with it is that of the device's own, and means nothing."""
    return datetime.fromisoformat(str(text)).replace(tzinfo=None)
