"""The interface between reconciliation and a family of controllers.

The unit is the (controller, card). A *record* is all that a controller holds for one card, by door number. A driver
computes the record that a card should have at a given moment (`encode`), so that the limits of a family stay inside
its driver. A controller without time windows holds `ALWAYS` at the doors that are open to the card right now; the
portal acts again at the next edge.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.utils.functional import Promise

from doorsync.drivers import problems
from doorsync.drivers.errors import BadOptions, DriverError, Full, Refused, Unknown, Unreachable
from doorsync.drivers.options import DriverOptions, validated
from doorsync.policy.naive_clock import expressible
from doorsync.policy.windows import ALWAYS, DoorWindows, Window, Windows
from portal.core.problems import Problems

__all__ = [
    "Actual",
    "BadOptions",
    "Capabilities",
    "DeviceInfo",
    "DoorEvent",
    "Driver",
    "DriverError",
    "DriverOptions",
    "Encoded",
    "Full",
    "Granularity",
    "Hold",
    "Refused",
    "Unknown",
    "Unreachable",
    "one_stretch",
    "rounded_inwards",
    "validated",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Granularity(StrEnum):
    """To what a controller can tie a time window. For all but the first, the portal must act at the edges.

    CARD and PERSON: one window for all doors of a card, or of a person's cards. Such a controller gets the current
    stretch, or else the next one, so that a card lapses in time even while the portal is down.
    """

    CARD_AND_DOOR = "card_and_door"
    CARD = "card"
    PERSON = "person"
    NONE = "none"


class Hold(StrEnum):
    """How a controller holds a door unlocked: in time windows by itself, from now until it is told to stop, or not."""

    WINDOWS = "windows"
    NOW = "now"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a family of controllers can do. The admin shows it to staff in words."""

    windows: Granularity
    resolution_seconds: int = 1  # 60 where a window has whole minutes
    holds_cards: bool = True  # False: a mere relay, that unlocks and holds unlocked
    lists_cards: bool = True  # whether read() gives all that it holds: its cards, and the doors held unlocked
    pulse: bool = True
    hold: Hold
    events: bool  # whether it can be asked what happened at its doors
    sets_clock: bool = False
    naive_clock: bool = False  # its clock shows the site's local time, and knows no zone
    # Only with Hold.NOW: one relay does both. During a pulse read() shows a hold; its end ends a hold, too.
    pulse_shows: bool = False

    @property
    def acts_at_edges(self) -> bool:
        """Whether the portal must be up for access to begin in time."""
        return self.windows is not Granularity.CARD_AND_DOOR

    @property
    def ends_by_itself(self) -> bool:
        """Whether access that has begun lapses in time while the portal is down."""
        return self.windows is not Granularity.NONE


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """How a controller describes itself. `time` is aware; `capacity` counts cards, None where unknown. `notes` are for
    staff who set it up, such as its doors by name."""

    model: str
    firmware: str
    serial: str  # distinguishes this device from every other; "" where it has none
    time: datetime | None
    capacity: int | None
    notes: Problems = field(default_factory=Problems)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a controller should hold: each card's record. `portal_timed`: (card, door) pairs that this time do not fit
    into the controller ahead of time, so that the portal must act at their edges."""

    records: Mapping[str, DoorWindows]
    portal_timed: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Actual:
    """What a controller holds."""

    cards: Mapping[str, DoorWindows] = field(default_factory=dict)
    holds: DoorWindows = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """Something that happened at a door. `index` rises with each event of a controller.

    `kind`: opened and denied (by card), unlocked (by a button or remotely), forced, held_open, alarm; "" for an event
    that is only counted as read and gets no entry in the log.
    """

    index: int
    at: datetime
    door: int
    card: str
    kind: str


def rounded_inwards(windows: Windows, seconds: int) -> Windows:
    """The windows in whole steps of so many seconds. They never admit at a moment at which the originals do not."""
    step = timedelta(seconds=seconds)
    rounded = []
    for window in windows:
        start, end = window.start, window.end
        if start is not None and (over := (start - _EPOCH) % step):
            start += step - over
        if end is not None:
            end -= (end - _EPOCH) % step
        if start is None or end is None or start < end:
            rounded.append(Window(start, end))
    return tuple(rounded)


def one_stretch(wanted: DoorWindows, now: datetime) -> DoorWindows:
    """The stretch of time around `now`, or else the next one, in which the same doors are open all along.

    Every door of the record has the same single window; {} where no window is left.
    """
    windows = [w for of_door in wanted.values() for w in of_door if not w.lapsed(now)]
    if not windows:
        return {}
    moment = now if any(w.covers(now) for w in windows) else min(w.start for w in windows if w.start)
    current = {door: w for door, of_door in wanted.items() for w in of_door if w.covers(moment)}
    edges = [edge for w in windows for edge in (w.start, w.end) if edge is not None and edge > moment]
    starts = [w.start for w in current.values() if w.start is not None]
    stretch = Window(max(starts, default=None), min(edges, default=None))
    return dict.fromkeys(current, (stretch,))


class Driver(ABC):
    """Speaks to one controller. Made anew for each piece of work, and closed after it.

    Every method except `encode_all`, `encode` and `encode_hold` may raise DriverError. All times are aware. What a
    family can't do, by its capabilities, it need not implement.
    """

    capabilities: Capabilities
    Options: ClassVar[type[DriverOptions]]
    # A sentence for staff: against what it was tested.
    verified: ClassVar[Promise]

    options: DriverOptions
    zone: ZoneInfo
    now: datetime

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        """`options` of the controller, secrets included. Raises BadOptions.

        `zone`: the site's, for clocks that know none. `now`: the moment (aware) of the piece of work; what is encoded,
        written and read is meant for it.
        """
        self.zone, self.now = zone, now
        self.options = validated(self.Options, options)
        self.set_up()

    @abstractmethod
    def set_up(self) -> None:
        """Prepare for work by the options. Nothing is sent yet."""

    @abstractmethod
    def info(self) -> DeviceInfo: ...

    def read(self) -> Actual:
        """All that it holds, whoever wrote it. Never called where it lists no cards."""
        raise Refused(problems.LISTS_NOTHING())

    def put(self, card: str, record: DoorWindows) -> None:
        """Make this the card's whole record."""
        raise Refused(problems.HOLDS_NO_CARDS())

    def remove(self, card: str) -> None:
        """Delete the card; no error if the controller does not have it."""
        raise Refused(problems.HOLDS_NO_CARDS())

    def hold(self, door: int, held: Windows) -> None:
        """Hold a door unlocked during these windows, and no others; none: let it lock again."""
        raise Refused(problems.HOLDS_NO_DOOR())

    @abstractmethod
    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        """Unlock a door for a moment. `key` makes a repeat harmless where the controller knows such keys."""

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        """Events with an index above `after`, oldest first; some hundreds at most, the rest at the next call.

        Where the controller's count has restarted: those from its new beginning.
        """
        return []

    def set_clock(self, moment: datetime) -> None:
        raise Refused(problems.SETS_NO_CLOCK())

    @abstractmethod
    def close(self) -> None: ...

    def encode_all(self, wanted: Mapping[str, DoorWindows]) -> Encoded:
        """What the controller should hold now for cards wanted like this. Always the same for the same moment."""
        if not self.capabilities.holds_cards:
            return Encoded({})
        return Encoded({card: encoded for card, record in wanted.items() if (encoded := self.encode(record))})

    def encode(self, wanted: DoorWindows) -> DoorWindows:
        """The record that the controller should hold now for a card wanted like this; empty: no record."""
        if self.capabilities.windows is Granularity.NONE:
            return self.open_now(wanted)
        expressible_record = self.expressible(wanted)
        if self.capabilities.windows is Granularity.CARD_AND_DOOR:
            return expressible_record
        # Again: the stretch may end where another door's window begins, which a naive clock may not show as an end.
        return self.expressible(one_stretch(expressible_record, self.now))

    def encode_hold(self, wanted: DoorWindows) -> DoorWindows:
        """Likewise for the doors held unlocked."""
        return self.expressible(wanted) if self.capabilities.hold is Hold.WINDOWS else self.open_now(wanted)

    def open_now(self, wanted: DoorWindows) -> DoorWindows:
        """The doors that are open right now, for a controller without time windows."""
        return {door: (ALWAYS,) for door, windows in wanted.items() if any(w.covers(self.now) for w in windows)}

    def expressible(self, wanted: DoorWindows) -> DoorWindows:
        """The windows as far as this family can express them: in its resolution, and by its clock."""
        step = self.capabilities.resolution_seconds
        record = {door: rounded_inwards(windows, step) for door, windows in wanted.items()}
        if self.capabilities.naive_clock:
            record = {door: expressible(windows, self.zone, self.now) for door, windows in record.items()}
        return {door: windows for door, windows in record.items() if windows}
