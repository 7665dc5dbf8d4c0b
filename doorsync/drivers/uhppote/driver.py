"""UHPPOTE boards (UT0311-L01, -L02, -L04), by the uhppoted package, over UDP.

A board keeps one record for each card: for each door 0 (no), 1 (always) or a time profile 2-254. The portal owns a
range of profiles, shares one among equal windows, and writes profiles before the cards that name them: a board admits a
card that names a missing profile. It never deletes profiles; one that no card names any more is overwritten.
profiles.py and docs/controllers/uhppote.md have the facts about profiles, and the limits of a board.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from ipaddress import IPv4Address
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import model_validator
from uhppoted.errors import CardNotFound, TimeProfileNotFound
from uhppoted.structs import Card, DoorMode, TimeProfile, TimeSegment, Weekdays
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
)
from doorsync.drivers.options import DriverOptions, matching, option, timeout
from doorsync.drivers.problems import DOOR_LOCKED, NO_SUCH_DOOR
from doorsync.drivers.uhppote import problems, profiles
from doorsync.drivers.uhppote.client import Board
from doorsync.drivers.uhppote.events import events_after
from doorsync.drivers.uhppote.profiles import FIRST_DAY, LAST_DAY, Page, Schedule
from doorsync.policy import naive_clock
from doorsync.policy.windows import ALWAYS, DoorWindows, Windows

NO, ALL_DAY = 0, 1  # what a card's door may hold beside a profile
HIGHEST_PROFILE = 254
HIGHEST_CARD = 0xFFFFFFFE  # one more marks a record that was deleted
# Before any card: what a board shows whose clock lost its date.
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
_IP = r"\d{1,3}(\.\d{1,3}){3}"


class UhppoteOptions(DriverOptions):
    serial: int = option(
        ge=100_000_000,
        le=499_999_999,
        title=_("serial number"),
        description=_("Nine digits, on the board; the first says how many doors it has."),
    )
    address: Annotated[str, matching(rf"^{_IP}(:\d{{1,5}})?$", problems.ADDRESS_EXPECTED)] = option(
        title=_("address"),
        description=_("IPv4, such as 192.168.1.100; the port is 60000 unless another one follows a colon."),
    )
    first_profile: int = option(
        101,
        ge=2,
        le=HIGHEST_PROFILE,
        title=_("the portal's first time profile"),
        description=_("From this one to the last the portal writes time profiles as it needs them."),
    )
    last_profile: int = option(HIGHEST_PROFILE, ge=2, le=HIGHEST_PROFILE, title=_("the portal's last time profile"))
    listener: Annotated[str, matching(rf"^({_IP}:\d{{1,5}})?$", problems.LISTENER_EXPECTED)] = option(
        "",
        title=_("the portal's listener"),
        description=_(
            'Where "manage.py controllers listen" runs, such as 192.168.1.10:60001. The board then announces events '
            "at once; without it, the portal reads them every ten seconds."
        ),
    )
    timeout_seconds: float = timeout(1, at_least=0.05, at_most=5)

    @model_validator(mode="after")
    def _in_order(self) -> "UhppoteOptions":
        if self.first_profile > self.last_profile:
            raise ValueError(problems.PROFILES_OUT_OF_ORDER())
        return self


class UhppoteDriver(Driver):
    Options = UhppoteOptions
    options: UhppoteOptions
    verified = _(
        "Not verified against a real device: tested against a fake of our own, written from the uhppoted project's "
        "documentation and simulator."
    )
    capabilities = Capabilities(
        windows=Granularity.CARD_AND_DOOR,
        resolution_seconds=60,
        hold=Hold.NOW,
        events=True,
        sets_clock=True,
        naive_clock=True,
    )

    def set_up(self) -> None:
        options = self.options
        self._doors = int(str(options.serial)[0])
        self._board = Board(options.serial, options.address, options.timeout_seconds)
        self._owned = range(options.first_profile, options.last_profile + 1)
        self._profiles: dict[int, tuple[Page, int] | None] = {}  # by number: its page and the linked one's number
        self._named: dict[str, dict[int, int]] = {}  # what each card's doors hold

    def info(self) -> DeviceInfo:
        board = self._board.ask(Uhppote.get_controller)
        shown = self._board.ask(Uhppote.get_time).datetime
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
        for card in self._board.cards():
            number = str(card.card)
            self._named[number] = dict(card.permissions)
            cards[number] = self._record(card)
        modes = {n: self._board.ask(Uhppote.get_door_control, n).mode for n in range(1, self._doors + 1)}
        held = [door for door, mode in modes.items() if mode == DoorMode.NORMALLY_OPEN.value]
        return Actual(cards=cards, holds=dict.fromkeys(held, (ALWAYS,)))

    def put(self, card: str, record: DoorWindows) -> None:
        number = _number(card)
        if beyond := [door for door in record if door > self._doors]:
            raise Refused(NO_SUCH_DOOR(door=min(beyond)))
        named = {}
        for door, windows in record.items():
            named[door] = ALL_DAY if windows == (ALWAYS,) else self._profile(self._schedule(windows), card, number)
        self._write(card, number, named)

    def remove(self, card: str) -> None:
        number = _number(card)
        if not self._board.ask(Uhppote.delete_card, number).deleted:
            try:
                self._board.ask(Uhppote.get_card_record, number)
            except CardNotFound:
                pass  # nothing to delete
            else:
                raise Refused(problems.NOT_DELETED())
        self._named.pop(card, None)

    def hold(self, door: int, held: Windows) -> None:
        now = self._board.ask(Uhppote.get_door_control, door)
        if held and now.mode == DoorMode.NORMALLY_CLOSED.value:
            raise Refused(DOOR_LOCKED(door=door))
        mode = DoorMode.NORMALLY_OPEN if held else DoorMode.CONTROLLED
        answer = self._board.ask(Uhppote.set_door_control, door, mode.value, now.delay)
        if answer.mode != mode.value:
            raise Refused(problems.MODE_UNCHANGED(door=door))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # The board's own setting says for how long; it knows no keys.
        if not self._board.ask(Uhppote.open_door, door).opened:
            raise Refused(problems.NOT_OPENED(door=door))

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        if self.options.listener:
            self._set_listener()
        return events_after(self._board, after, self.zone, self.now)

    def set_clock(self, moment: datetime) -> None:
        self._board.ask(Uhppote.set_time, naive_clock.shown_at(moment, self.zone).replace(microsecond=0))

    def close(self) -> None:
        """Nothing to do: each request has a socket of its own."""

    def _set_listener(self) -> None:
        """Make the board announce its events to the portal's listener, if it does not yet."""
        host, _colon, port = self.options.listener.partition(":")
        current = self._board.ask(Uhppote.get_listener)
        if (str(current.address), current.port) != (host, int(port)):
            self._board.ask(Uhppote.set_listener, IPv4Address(host), int(port))

    # What cards should hold ---------------------------------------------------------------------------------

    def encode_all(self, wanted: Mapping[str, DoorWindows]) -> Encoded:
        expressible = {card: self.expressible(record) for card, record in wanted.items()}
        begins: dict[Schedule, datetime] = {}
        for record in expressible.values():
            for windows in record.values():
                if windows != (ALWAYS,):
                    begins[self._schedule(windows)] = windows[0].start or _NO_DATE
        fitting = profiles.that_fit(begins, len(self._owned))
        records, portal_timed = {}, set()
        for card, record in expressible.items():
            over = {d for d, w in record.items() if w != (ALWAYS,) and self._schedule(w) not in fitting}
            portal_timed |= {(card, door) for door in over}
            now_open = self.open_now({door: record[door] for door in over})
            ahead = {door: windows for door, windows in record.items() if door not in over}
            if complete := {**ahead, **now_open}:
                records[card] = complete
        return Encoded(records, frozenset(portal_timed))

    def _schedule(self, windows: Windows) -> Schedule:
        return profiles.schedule(naive_clock.to_naive_clock(windows, self.zone, self.now))

    # Cards ----------------------------------------------------------------------------------------------------

    def _record(self, card: Card) -> DoorWindows:
        first, last = card.start_date or FIRST_DAY, card.end_date or LAST_DAY
        valid = naive_clock.from_naive_clock(profiles.windows([_whole_days(first, last)]), self.zone, self.now)
        record: dict[int, Windows] = {}
        for door in range(1, self._doors + 1):
            named = card.permission(door)
            windows = (ALWAYS,) if named == ALL_DAY else self._windows(named) if named != NO else ()
            clipped = tuple(w for each in windows for v in valid if (w := each.clipped(v.start, v.end)))
            if clipped:
                record[door] = clipped
        return record

    def _write(self, card: str, number: int, named: Mapping[int, int]) -> None:
        doors = [named.get(door, NO) for door in (1, 2, 3, 4)]
        if not self._board.ask(Uhppote.put_card, number, FIRST_DAY, LAST_DAY, *doors, 0).stored:
            raise Full(problems.NOT_STORED())
        self._named[card] = dict(named)

    # Profiles -------------------------------------------------------------------------------------------------

    def _windows(self, number: int) -> Windows:
        """When a profile admits, together with the profiles that it links to."""
        pages, seen = [], set()
        while number != NO and number not in seen:
            seen.add(number)
            content = self._read_profile(number)
            if content is None:
                return (ALWAYS,)  # as the board behaves
            pages.append(content[0])
            number = content[1]
        return naive_clock.from_naive_clock(profiles.windows(pages), self.zone, self.now)

    def _read_profile(self, number: int) -> tuple[Page, int] | None:
        if number not in self._profiles:
            try:
                self._profiles[number] = _page(self._board.ask(Uhppote.get_time_profile_record, number))
            except TimeProfileNotFound:
                self._profiles[number] = None
        return self._profiles[number]

    def _profile(self, pages: Schedule, card: str, number: int) -> int:
        """A profile that admits by this chain of pages: an existing one, or one written now, last link first."""
        if not pages:
            return NO
        linked = self._profile(pages[1:], card, number)
        content = (pages[0], linked)
        for owned in self._owned:
            if self._read_profile(owned) == content:
                return owned
        free = self._free(linked)
        if free is None and any(value in self._owned for value in self._named.get(card, {}).values()):
            # The card's own profiles may be free once it does not name them.
            self._write(card, number, {})
            free = self._free(linked)
        if free is None:
            raise Refused(problems.PROFILES_IN_USE())
        self._write_profile(free, content)
        return free

    def _free(self, linked: int) -> int | None:
        """A profile of the portal's range that neither a card nor the chain that is being written refers to."""
        used = self._reached({value for doors in self._named.values() for value in doors.values()} | {linked})
        return next((number for number in self._owned if number not in used), None)

    def _reached(self, named: set[int]) -> set[int]:
        reached: set[int] = set()
        ahead = [number for number in named if number not in (NO, ALL_DAY)]
        while ahead:
            number = ahead.pop()
            if number not in reached and number != NO:
                reached.add(number)
                content = self._read_profile(number)
                if content is not None:
                    ahead.append(content[1])
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
        stored = self._board.ask(Uhppote.set_time_profile_record, profile)
        if not stored or self._read_profile(number) != content:
            self._profiles.pop(number, None)
            raise Refused(problems.PROFILE_NOT_STORED(number=number))


def _number(card: str) -> int:
    """The card's number as a board stores it. Raises Refused for a number that no board can store."""
    if not (card.isascii() and card.isdigit() and str(int(card)) == card and 0 < int(card) <= HIGHEST_CARD):
        raise Refused(problems.CARD_NUMBER(n=HIGHEST_CARD))
    return int(card)


def _page(profile: TimeProfile) -> tuple[Page, int]:
    """A profile's page and the number of the linked one. A profile without dates admits nobody."""
    if profile.start_date is None or profile.end_date is None:
        return Page(FIRST_DAY, FIRST_DAY, ()), profile.linked_profile
    days = profile.weekdays
    week = (days.monday, days.tuesday, days.wednesday, days.thursday, days.friday, days.saturday, days.sunday)
    segments = dict.fromkeys((s.start, s.end) for s in profile.segments.values() if s.start and s.end)
    return Page(profile.start_date, profile.end_date, tuple(segments), week), profile.linked_profile


def _whole_days(first: date, last: date) -> Page:
    return Page(max(first, FIRST_DAY), min(last, LAST_DAY), ((profiles.MIDNIGHT, profiles.LAST_MINUTE),))
