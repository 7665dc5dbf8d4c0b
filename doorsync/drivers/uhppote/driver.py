"""UHPPOTE boards (UT0311-L01, -L02, -L04), by the uhppoted package, over UDP.

A board keeps one record a card: for each door 0 (no), 1 (always) or a time profile 2-254. The portal owns a range of
profiles, shares one among equal windows, and writes profiles before the cards that name them: a board admits whoever
is named a profile that it does not have. It never deletes profiles; one that no card names any more is written over.
What else a board can't do, and the facts about profiles, stands in uhppote_profiles.py and docs/controllers/uhppote.md.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from ipaddress import IPv4Address
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, model_validator
from uhppoted.errors import CardDeleted, CardNotFound, EventNotFound, EventOverwritten, TimeProfileNotFound
from uhppoted.structs import Card, DoorMode, EventRecord, TimeProfile, TimeSegment, Weekdays
from uhppoted.uhppote import Uhppote

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Encoded,
    Full,
    Granularity,
    Hold,
    Refused,
    Unknown,
    Unreachable,
    validated,
)
from doorsync.drivers.uhppote import profiles
from doorsync.drivers.uhppote.profiles import FIRST_DAY, LAST_DAY, Page, Schedule
from doorsync.policy import naive_clock
from doorsync.policy.windows import ALWAYS, Record, Windows

NO, ALL_DAY = 0, 1  # what a card's door may hold beside a profile
HIGHEST_PROFILE = 254
HIGHEST_CARD = 0xFFFFFFFE  # one more marks a record that was deleted
EVENTS_AT_ONCE = 200
READING_SECONDS = 30  # all cards of a board; below asking.LEASE
# Before any card: what a board is taken to show whose clock lost its date.
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)

# uhppoted's event types and reasons.
_SWIPE, _DOOR, _ALARM = 1, 2, 3
_REASONS = {20: "unlocked", 25: "unlocked", 44: "unlocked", 45: "unlocked", 37: "held_open", 38: "forced"}

Answer = TypeVar("Answer")


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    serial: int = Field(
        ge=100_000_000,
        le=499_999_999,
        title=str(gettext_lazy("serial number")),
        description=str(gettext_lazy("Nine digits, on the board; the first says how many doors it has.")),
    )
    address: str = Field(
        pattern=r"^\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?$",
        title=str(gettext_lazy("address")),
        description=str(gettext_lazy("IPv4, such as 192.168.1.100; the port is 60000 unless said with a colon.")),
    )
    timeout_seconds: float = Field(default=1, ge=0.05, le=5, title=str(gettext_lazy("time-out (seconds)")))
    first_profile: int = Field(
        default=101,
        ge=2,
        le=HIGHEST_PROFILE,
        title=str(gettext_lazy("first time profile of the portal's")),
        description=str(gettext_lazy("From this one to the last the portal writes time profiles as it needs them.")),
    )
    last_profile: int = Field(
        default=HIGHEST_PROFILE, ge=2, le=HIGHEST_PROFILE, title=str(gettext_lazy("last time profile of the portal's"))
    )
    listener: str = Field(
        default="",
        pattern=r"^(\d{1,3}(\.\d{1,3}){3}:\d{1,5})?$",
        title=str(gettext_lazy("the portal's listener")),
        description=str(
            gettext_lazy(
                'Where "manage.py controllers listen" runs, such as 192.168.1.10:60001. The board then tells at once '
                "that something happened; without it, it is asked every ten seconds."
            )
        ),
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Options":
        if self.first_profile > self.last_profile:
            raise ValueError(_("the first time profile comes after the last"))
        return self


class UhppoteDriver(Driver):
    Options = Options
    verified = gettext_lazy(
        "Not verified against a real device: tested against a fake of our own, written from the uhppoted project's "
        "documentation and simulator."
    )

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = validated(Options, options)
        self.capabilities = Capabilities(
            windows=Granularity.CARD_AND_DOOR,
            resolution_seconds=60,
            holds_cards=True,
            lists_cards=True,
            pulse=True,
            hold=Hold.NOW,
            events=True,
            sets_clock=True,
            naive_clock=True,
        )
        self._doors = int(str(self._options.serial)[0])
        self._board = Uhppote()
        # UDP only: the library's TCP mode never ends when the board closes the connection.
        self._at = (self._options.serial, self._options.address, "udp")
        self._owned = range(self._options.first_profile, self._options.last_profile + 1)
        self._profiles: dict[int, tuple[Page, int] | None] = {}  # by number: its page and the linked one's number
        self._named: dict[str, dict[int, int]] = {}  # what each card's doors hold

    # What the portal asks ---------------------------------------------------------------------------------

    def info(self) -> DeviceInfo:
        board = self._ask(self._board.get_controller)
        shown = self._ask(self._board.get_time).datetime
        return DeviceInfo(
            model=f"UT0311-L0{self._doors}",
            firmware=str(board.version),
            serial=str(board.controller),
            time=_NO_DATE if shown is None else naive_clock.meant_by(shown, self.zone, self.now),
            capacity=None,
        )

    def read(self) -> Actual:
        cards = {}
        self._named = {}
        for card in self._cards():
            number = str(card.card)
            self._named[number] = dict(card.permissions)
            cards[number] = self._record(card)
        modes = {n: self._ask(self._board.get_door_control, n).mode for n in range(1, self._doors + 1)}
        held = [door for door, mode in modes.items() if mode == DoorMode.NORMALLY_OPEN.value]
        return Actual(cards=cards, holds=dict.fromkeys(held, (ALWAYS,)))

    def put(self, card: str, record: Record) -> None:
        number = _number(card)
        if beyond := [door for door in record if door > self._doors]:
            raise Refused(_("The board has no door %(door)d.") % {"door": min(beyond)})
        named = {}
        for door, found in record.items():
            named[door] = ALL_DAY if found == (ALWAYS,) else self._profile(self._schedule(found), card, number)
        self._write(card, number, named)

    def remove(self, card: str) -> None:
        number = _number(card)
        if not self._ask(self._board.delete_card, number).deleted:
            try:
                self._ask(self._board.get_card_record, number)
            except CardNotFound:
                pass  # nothing was there to delete
            else:
                raise Refused(_("The board did not delete the card."))
        self._named.pop(card, None)

    def hold(self, door: int, held: Windows) -> None:
        now = self._ask(self._board.get_door_control, door)
        if held and now.mode == DoorMode.NORMALLY_CLOSED.value:
            raise Refused(
                _("Door %(door)d is set to stay locked for everybody, at the board. The portal leaves it so.")
                % {"door": door}
            )
        mode = DoorMode.NORMALLY_OPEN if held else DoorMode.CONTROLLED
        answer = self._ask(self._board.set_door_control, door, mode.value, now.delay)
        if answer.mode != mode.value:
            raise Refused(_("The board did not change the mode of door %(door)d.") % {"door": door})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # For how long is the board's own setting; it knows no keys.
        if not self._ask(self._board.open_door, door).opened:
            raise Refused(_("The board did not open door %(door)d.") % {"door": door})

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        if self._options.listener:
            self._be_told()
        newest = self._ask(self._board.get_status).event_index
        if newest < after:
            after = 0  # it counts anew
        found: list[DoorEvent] = []
        index = after + 1
        while index <= newest and len(found) < EVENTS_AT_ONCE:
            try:
                found.append(self._event(self._ask(self._board.get_event_record, index)))
            except EventNotFound:
                found.append(DoorEvent(index=index, at=self.now, door=0, card="", kind=""))
            except EventOverwritten:
                # Event 0 is the oldest that the board still has.
                index = max(index, self._ask(self._board.get_event, 0).index - 1)
            index += 1
        return found

    def set_clock(self, moment: datetime) -> None:
        self._ask(self._board.set_time, naive_clock.shown_at(moment, self.zone).replace(microsecond=0))

    def close(self) -> None:
        """Nothing to do: each request has a socket of its own."""

    # What cards should hold ---------------------------------------------------------------------------------

    def encode_all(self, wanted: Mapping[str, Record]) -> Encoded:
        said = {card: self.said(record) for card, record in wanted.items()}
        begin: dict[Schedule, datetime] = {}
        for record in said.values():
            for found in record.values():
                if found != (ALWAYS,):
                    begin[self._schedule(found)] = found[0].start or _NO_DATE
        fitting = profiles.that_fit(begin, len(self._owned))
        records, at_edges = {}, set()
        for card, record in said.items():
            over = {d for d, found in record.items() if found != (ALWAYS,) and self._schedule(found) not in fitting}
            at_edges |= {(card, door) for door in over}
            now_open = self.open_now({door: record[door] for door in over})
            kept = {door: found for door, found in record.items() if door not in over}
            if full := {**kept, **now_open}:
                records[card] = full
        return Encoded(records, frozenset(at_edges))

    def _schedule(self, found: Windows) -> Schedule:
        return profiles.schedule(naive_clock.to_naive_clock(found, self.zone, self.now))

    # Cards ----------------------------------------------------------------------------------------------------

    def _cards(self) -> Iterator[Card]:
        count, index = self._ask(self._board.get_cards).cards, 0
        last_moment = time.monotonic() + READING_SECONDS
        while count > 0:
            if time.monotonic() > last_moment:
                raise Unknown(_("The board did not tell all its cards within %(n)d seconds.") % {"n": READING_SECONDS})
            index += 1
            try:
                yield self._ask(self._board.get_card_record_by_index, index)
            except CardDeleted:
                continue  # a deleted card leaves its place behind
            except CardNotFound:
                return
            count -= 1

    def _record(self, card: Card) -> Record:
        first, last = card.start_date or FIRST_DAY, card.end_date or LAST_DAY
        valid = naive_clock.from_naive_clock(profiles.windows([_whole_days(first, last)]), self.zone, self.now)
        found: dict[int, Windows] = {}
        for door in range(1, self._doors + 1):
            named = card.permission(door)
            windows = (ALWAYS,) if named == ALL_DAY else self._windows(named) if named != NO else ()
            clipped = tuple(w for each in windows for v in valid if (w := each.clipped(v.start, v.end)))
            if clipped:
                found[door] = clipped
        return found

    def _write(self, card: str, number: int, named: Mapping[int, int]) -> None:
        answer = self._ask(
            self._board.put_card, number, FIRST_DAY, LAST_DAY, *(named.get(d, NO) for d in (1, 2, 3, 4)), 0
        )
        if not answer.stored:
            raise Full(_("The board did not store the card: most likely it is full."))
        self._named[card] = dict(named)

    # Profiles -------------------------------------------------------------------------------------------------

    def _windows(self, number: int) -> Windows:
        """When a profile admits, with those that it links to."""
        pages, seen = [], set()
        while number != NO and number not in seen:
            seen.add(number)
            found = self._read_profile(number)
            if found is None:
                return (ALWAYS,)  # so the board takes it
            pages.append(found[0])
            number = found[1]
        return naive_clock.from_naive_clock(profiles.windows(pages), self.zone, self.now)

    def _read_profile(self, number: int) -> tuple[Page, int] | None:
        if number not in self._profiles:
            try:
                self._profiles[number] = _page(self._ask(self._board.get_time_profile_record, number))
            except TimeProfileNotFound:
                self._profiles[number] = None
        return self._profiles[number]

    def _profile(self, pages: Schedule, card: str, number: int) -> int:
        """A profile that admits by this chain of pages: one that is there, or one written now, last link first."""
        if not pages:
            return NO
        linked = self._profile(pages[1:], card, number)
        content = (pages[0], linked)
        for owned in self._owned:
            if self._read_profile(owned) == content:
                return owned
        free = self._free(linked)
        if free is None and any(value in self._owned for value in self._named.get(card, {}).values()):
            # Its own profiles may be free once it does not name them.
            self._write(card, number, {})
            free = self._free(linked)
        if free is None:
            raise Refused(_("All time profiles of the portal's are in use by other cards just now."))
        self._write_profile(free, content)
        return free

    def _free(self, linked: int) -> int | None:
        """A profile of the portal's own range that no card leads to, nor the chain that is just being written."""
        used = self._reached({value for doors in self._named.values() for value in doors.values()} | {linked})
        return next((number for number in self._owned if number not in used), None)

    def _reached(self, named: set[int]) -> set[int]:
        reached: set[int] = set()
        ahead = [number for number in named if number not in (NO, ALL_DAY)]
        while ahead:
            number = ahead.pop()
            if number not in reached and number != NO:
                reached.add(number)
                found = self._read_profile(number)
                if found is not None:
                    ahead.append(found[1])
        return reached

    def _write_profile(self, number: int, content: tuple[Page, int]) -> None:
        page, linked = content
        segments = [*page.segments, *[page.segments[0]] * (profiles.SEGMENTS - len(page.segments))]
        profile = TimeProfile(
            number,
            page.first,
            page.last,
            Weekdays(*page.weekdays),
            {place: TimeSegment(start, last) for place, (start, last) in enumerate(segments, 1)},
            linked,
        )
        self._profiles.pop(number, None)  # unknown until it is read again
        stored = self._ask(self._board.set_time_profile_record, profile)
        if not stored or self._read_profile(number) != content:
            self._profiles.pop(number, None)
            raise Refused(_("The board did not store time profile %(number)d.") % {"number": number})

    # Events -----------------------------------------------------------------------------------------

    def _be_told(self) -> None:
        """Have the board tell the portal's listener of its events, if it does not yet."""
        host, _colon, port = self._options.listener.partition(":")
        there = self._ask(self._board.get_listener)
        if (str(there.address), there.port) != (host, int(port)):
            self._ask(self._board.set_listener, IPv4Address(host), int(port))

    def _event(self, event: EventRecord) -> DoorEvent:
        if event.kind == _SWIPE:
            kind = "opened" if event.access_granted else "denied"
        else:
            kind = _REASONS.get(event.reason, "alarm" if event.kind == _ALARM else "")
        shown = event.timestamp
        return DoorEvent(
            index=event.index,
            at=self.now if shown is None else naive_clock.meant_by(shown, self.zone, self.now),
            door=event.door,
            card=str(event.card) if event.kind == _SWIPE else "",
            kind=kind,
        )

    def _ask(self, call: Callable[..., Answer], *arguments: Any) -> Any:
        """One request and its answer. The library's own errors that say what is not there pass; others are ours."""
        try:
            answer = call(self._at, *arguments, timeout=self._options.timeout_seconds)
        except (CardNotFound, CardDeleted, TimeProfileNotFound, EventNotFound, EventOverwritten):
            raise
        except TimeoutError as error:
            raise Unknown(_("No answer within %(n)s seconds.") % {"n": self._options.timeout_seconds}) from error
        except OSError as error:
            raise Unreachable(_("The board can't be reached: %(why)s.") % {"why": error.strerror or error}) from error
        except Exception as error:  # whatever the library makes of an answer that is none
            raise Unknown(
                _("What answers is no board of this family (%(why)s).") % {"why": type(error).__name__}
            ) from error
        if answer is None or getattr(answer, "controller", self._options.serial) != self._options.serial:
            raise Unknown(_("The answer is not this board's: look at its serial number and address."))
        return answer


def _number(card: str) -> int:
    """The card's number as the board knows it. Raises Refused where it can't know it."""
    if not (card.isascii() and card.isdigit() and str(int(card)) == card and 0 < int(card) <= HIGHEST_CARD):
        raise Refused(
            _("This board's cards have numbers from 1 to %(n)d, without zeros in front.") % {"n": HIGHEST_CARD}
        )
    return int(card)


def _page(profile: TimeProfile) -> tuple[Page, int]:
    """A profile's page and the number of the linked one. One whose dates are none admits nobody."""
    if profile.start_date is None or profile.end_date is None:
        return Page(FIRST_DAY, FIRST_DAY, ()), profile.linked_profile
    days = profile.weekdays
    week = (days.monday, days.tuesday, days.wednesday, days.thursday, days.friday, days.saturday, days.sunday)
    segments = dict.fromkeys((s.start, s.end) for s in profile.segments.values() if s.start and s.end)
    return Page(profile.start_date, profile.end_date, tuple(segments), week), profile.linked_profile


def _whole_days(first: date, last: date) -> Page:
    return Page(max(first, FIRST_DAY), min(last, LAST_DAY), ((profiles.MIDNIGHT, profiles.LAST_MINUTE),))
