"""The interface between reconciliation and a family of controllers.

The unit is the (controller, card): a *record* is all that a controller holds for one card, by door number. A driver
says what record a card ought to have at a given moment (`encode`), so that what a family can't express stays inside
its driver. A controller that knows no time windows holds `ALWAYS` at the doors that are open to the card right now;
the portal then comes back at the next edge.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from pydantic import BaseModel, ValidationError

from doorsync.policy.naive_clock import expressible
from doorsync.policy.windows import ALWAYS, Record, Window, Windows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Granularity(StrEnum):
    """To what a controller can tie a time window. For all but the first, the portal must act at the edges.

    CARD and PERSON: one window for all the doors of a card, or of a person's cards. Such a controller is given the
    stretch that is on, or the next one, so that a card lapses in time even while the portal is down.
    """

    CARD_AND_DOOR = "card_and_door"
    CARD = "card"
    PERSON = "person"
    NONE = "none"


class Hold(StrEnum):
    """Whether a controller can hold a door unlocked: in time windows by itself, from now until told to stop, or not."""

    WINDOWS = "windows"
    NOW = "now"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a family of controllers can do; shown to staff in words."""

    windows: Granularity
    resolution_seconds: int  # 1, or 60 where only whole minutes can be said
    holds_cards: bool  # False: a mere relay, that unlocks and holds unlocked
    lists_cards: bool  # whether read() tells all that it holds: its cards, and the doors held unlocked
    pulse: bool
    hold: Hold
    events: bool  # whether it can be asked what happened at its doors
    sets_clock: bool
    naive_clock: bool = False  # its clock shows the site's local time, and knows no zone
    # Only with Hold.NOW: one relay does both. While a pulse lasts, read() tells it as a hold; its end ends a hold, too.
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
    """What a controller says of itself. `time` is aware; `capacity` counts cards, None where unknown; `found` is for
    staff who set it up: what else answers there, such as its doors by name."""

    model: str
    firmware: str
    serial: str  # tells this device from every other; "" where it has none to tell
    time: datetime | None
    capacity: int | None
    found: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a controller should hold: each card's record. `at_edges`: (card, door) that it can't be told ahead of time
    this once, so that the portal must come back at their edges."""

    records: Mapping[str, Record]
    at_edges: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Actual:
    """What a controller holds."""

    cards: Mapping[str, Record] = field(default_factory=dict)
    holds: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """Something that happened at a door. `index` rises with each event of a controller.

    `kind`: opened and denied (by card), unlocked (by a button or from afar), forced, held_open, alarm; "" for what is
    not worth an entry in the log, and only counted as read.
    """

    index: int
    at: datetime
    door: int
    card: str
    kind: str


class DriverError(Exception):
    """Something went wrong at a controller. The text is for staff and names what and why."""


class BadOptions(DriverError):
    """The controller's options do not fit its driver. Trying again is of no use."""


class Unreachable(DriverError):
    """The controller was not reached: nothing was changed."""


class Unknown(DriverError):
    """No answer in time: the change may have been made or not. Read back before acting again."""


class Refused(DriverError):
    """The controller said no: nothing was changed."""


class Full(Refused):
    """The controller has no room for another card."""


OptionsT = TypeVar("OptionsT", bound=BaseModel)


def validated(model: type[OptionsT], options: Mapping[str, Any]) -> OptionsT:
    """A controller's options as its driver needs them. Raises BadOptions, naming the first that does not fit."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]  # the input may be a secret
        if not first["loc"]:
            raise BadOptions(_("The controller's options do not fit: %(why)s.") % {"why": first["msg"]}) from None
        raise BadOptions(
            _("The controller's option %(option)s does not fit: %(why)s.")
            % {"option": ".".join(map(str, first["loc"])), "why": first["msg"]}
        ) from None


def rounded_inwards(found: Windows, seconds: int) -> Windows:
    """The windows in whole steps of so many seconds, never admitting at a moment that they did not admit at."""
    step = timedelta(seconds=seconds)
    rounded = []
    for window in found:
        start, end = window.start, window.end
        if start is not None and (over := (start - _EPOCH) % step):
            start += step - over
        if end is not None:
            end -= (end - _EPOCH) % step
        if start is None or end is None or start < end:
            rounded.append(Window(start, end))
    return tuple(rounded)


def one_stretch(wanted: Record, now: datetime) -> Record:
    """The stretch of time that is on at `now`, or else the next, in which the same doors are open all along.

    Every door of the record has the same single window; {} where nothing is to come.
    """
    windows = [w for found in wanted.values() for w in found if not w.lapsed(now)]
    if not windows:
        return {}
    moment = now if any(w.covers(now) for w in windows) else min(w.start for w in windows if w.start)
    on = {door: w for door, found in wanted.items() for w in found if w.covers(moment)}
    edges = [edge for w in windows for edge in (w.start, w.end) if edge is not None and edge > moment]
    starts = [w.start for w in on.values() if w.start is not None]
    stretch = Window(max(starts, default=None), min(edges, default=None))
    return dict.fromkeys(on, (stretch,))


class Driver(ABC):
    """Speaks to one controller. Made anew for each piece of work, and closed after it.

    Every method but `encode_all`, `encode` and `encode_hold` may raise DriverError. All times are aware.
    """

    capabilities: Capabilities
    # What its options are, with titles and descriptions for the admin's form. Secrets are of type SecretStr.
    Options: ClassVar[type[BaseModel]]
    # A sentence for staff: against what it was tested.
    verified: ClassVar[Promise]

    zone: ZoneInfo
    now: datetime

    @abstractmethod
    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        """`options` as the controller has them, secrets included. Raises BadOptions.

        `zone`: the site's, for clocks that know none. `now`: the moment (aware) of the piece of work; what is encoded,
        written and read is meant for it.
        """

    @abstractmethod
    def info(self) -> DeviceInfo: ...

    @abstractmethod
    def read(self) -> Actual:
        """All that it holds, whoever wrote it. Never called where it lists no cards."""

    @abstractmethod
    def put(self, card: str, record: Record) -> None:
        """Make this the card's whole record."""

    @abstractmethod
    def remove(self, card: str) -> None:
        """Take the card out; no error if it is not there."""

    @abstractmethod
    def hold(self, door: int, held: Windows) -> None:
        """Hold a door unlocked during these windows, and no others; none: let it lock again."""

    @abstractmethod
    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        """Unlock a door for a moment. `key` makes a repeat harmless where the controller knows such keys."""

    @abstractmethod
    def events(self, *, after: int) -> Sequence[DoorEvent]:
        """Events with an index above `after`, oldest first; some hundreds at the most, more when asked again.

        Where the controller has begun to count anew, those from its new beginning.
        """

    @abstractmethod
    def set_clock(self, moment: datetime) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def encode_all(self, wanted: Mapping[str, Record]) -> Encoded:
        """What the controller should hold now for cards wanted like this. The same for the same moment, always."""
        if not self.capabilities.holds_cards:
            return Encoded({})
        records = {card: record for card, some in wanted.items() if (record := self.encode(some))}
        return Encoded(records)

    def encode(self, wanted: Record) -> Record:
        """The record that the controller should hold now for a card wanted like this; empty: no record."""
        if self.capabilities.windows is Granularity.NONE:
            return self.open_now(wanted)
        said = self.said(wanted)
        if self.capabilities.windows is Granularity.CARD_AND_DOOR:
            return said
        # Said again: it may end where another door's window begins, which a naive clock may not know for an end.
        return self.said(one_stretch(said, self.now))

    def encode_hold(self, wanted: Record) -> Record:
        """Likewise for the doors held unlocked."""
        return self.said(wanted) if self.capabilities.hold is Hold.WINDOWS else self.open_now(wanted)

    def open_now(self, wanted: Record) -> Record:
        """The doors that are open right now, for a controller that is told nothing of time."""
        return {door: (ALWAYS,) for door, found in wanted.items() if any(w.covers(self.now) for w in found)}

    def said(self, wanted: Record) -> Record:
        """The windows as far as this family can say them: in its resolution, and by its clock."""
        step = self.capabilities.resolution_seconds
        found = {door: rounded_inwards(some, step) for door, some in wanted.items()}
        if self.capabilities.naive_clock:
            found = {door: expressible(some, self.zone, self.now) for door, some in found.items()}
        return {door: some for door, some in found.items() if some}
