"""The door board: each door's day as a line, who may enter now, and what changes next."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models.functions import Lower

from accessmap.models import Card, CardStatus, Door, Resource, ResourceDoor
from doorsync.models import StoredBooking, values
from doorsync.policy.rules import Booking, Policy, ValidCard, admission, admission_window
from doorsync.policy.windows import Window
from portal.offision.statuses import BookingStatus

# In the drawing, a day is so many units wide whatever its length in hours.
WIDTH = 1440
# Bookings with these statuses are not drawn: nobody comes.
_OVER = [BookingStatus.CANCELLED.value, BookingStatus.NO_SHOW.value]


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of the day, in units of the drawing. `kind`: booked, open (for anyone), lead, grace, or void (a booking
    that admits nobody)."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A door's day."""

    door: Door
    bars: Sequence[Bar]
    drift: str  # why it is not in order; "" where it is
    standing: Sequence[str]  # access levels that may always pass
    now: Sequence[str]  # who may enter now by a booking, by name
    anyone: bool  # whether it is held unlocked now
    next_at: datetime | None
    next_opens: bool  # whether more people may enter at that moment, or fewer


@dataclass(frozen=True, slots=True)
class Day:
    """A site's local day, whose length depends on the clocks. Times aware, the end exclusive."""

    day: date
    start: datetime
    end: datetime
    zone: ZoneInfo = field(repr=False)

    @classmethod
    def of(cls, day: date, zone: ZoneInfo) -> "Day":
        def midnight(that: date) -> datetime:
            return datetime.combine(that, time(), zone).astimezone(UTC)

        return cls(day, midnight(day), midnight(day + timedelta(days=1)), zone)

    def x(self, moment: datetime) -> float:
        """Where a moment stands in the drawing; within it."""
        part = (min(max(moment, self.start), self.end) - self.start) / (self.end - self.start)
        return round(part * WIDTH, 1)

    def hours(self) -> list[tuple[float, str]]:
        """Where the local hours stand, every third with its name."""
        marks = []
        moment = self.start
        while moment < self.end:
            hour = moment.astimezone(self.zone).hour
            marks.append((self.x(moment), f"{hour:02d}" if hour % 3 == 0 else ""))
            moment += timedelta(hours=1)
        return marks


@dataclass(frozen=True, slots=True)
class _Holder:
    """A card and its holder's name."""

    name: str
    card: ValidCard


def lines(doors: Sequence[Door], day: Day, now: datetime, drifting: Mapping[int, str]) -> list[Line]:
    """The board's lines for these doors, at `now` (aware). `drifting`: why a door (primary key) is not in step."""
    resources = Resource.objects.filter(doors__in=doors).distinct()
    policies = values.policies_of(resources)
    resources_of: dict[int, list[int]] = defaultdict(list)
    # Only the resources read above: a link may be added between the two statements.
    links = ResourceDoor.objects.filter(door__in=doors, resource__in=policies)
    for door_id, resource_id in links.values_list("door_id", "resource_id"):
        resources_of[door_id].append(resource_id)
    bookings = _bookings(policies, day, now)
    holders = _holders(booking for rows in bookings.values() for booking, _title in rows)
    return [
        _line(
            door,
            [(policies[pk], bookings[pk]) for pk in resources_of[door.pk]],
            day,
            now,
            holders,
            drifting.get(door.pk, ""),
        )
        for door in doors
    ]


def _bookings(resources: Iterable[int], day: Day, now: datetime) -> dict[int, list[tuple[Booking, str]]]:
    """The bookings of the day, with their titles, by resource."""
    bookings: dict[int, list[tuple[Booking, str]]] = defaultdict(list)
    first, last = min(day.start, now), max(day.end, now)
    margin = timedelta(days=1)  # no lead and no grace time is longer
    rows = StoredBooking.objects.filter(
        resource__in=resources, starts_at__lt=last + margin, ends_at__gt=first - margin
    ).exclude(status__in=_OVER)
    for row in rows.order_by("starts_at"):
        title = f"{row.title or row.external_id} ({row.get_status_display()})"
        bookings[row.resource_id].append((values.booking_of(row), title))
    return bookings


def _holders(bookings: Iterable[Booking]) -> dict[str, list[_Holder]]:
    """The active cards of those that the bookings name, by normalised email."""
    emails = {email for b in bookings for email in (b.organizer, *b.attendees)} - {""}
    cards = Card.objects.annotate(email=Lower("cardholder__email")).filter(email__in=emails, status=CardStatus.ACTIVE)
    holders: dict[str, list[_Holder]] = defaultdict(list)
    columns = ("email", "cardholder__name", "number", "valid_from", "valid_until")
    for email, name, number, valid_from, valid_until in cards.values_list(*columns):
        holders[email].append(_Holder(name, ValidCard(number, valid_from, valid_until)))
    return holders


def _line(
    door: Door,
    rooms: Sequence[tuple[Policy, Sequence[tuple[Booking, str]]]],
    day: Day,
    now: datetime,
    holders: Mapping[str, Sequence[_Holder]],
    drift: str,
) -> Line:
    bars: list[Bar] = []
    inside: dict[str, None] = {}
    edges: dict[datetime, bool] = {}
    anyone = False
    for policy, bookings in rooms:
        for booking, title in bookings:
            bars += _bars(booking, title, policy, day)
            admitted = admission(booking, policy)
            if admitted is None:
                continue
            window = admitted.window
            for edge, opens in ((window.start, True), (window.end, False)):
                if edge is not None and edge > now:
                    edges[edge] = opens
            if window.covers(now):
                inside |= dict.fromkeys(_names(admitted.emails, window, holders, now))
                inside |= dict.fromkeys(sorted(admitted.levels))
            anyone = anyone or (admitted.unlocked is not None and admitted.unlocked.covers(now))
    next_at = min(edges, default=None)
    return Line(
        door=door,
        bars=bars,
        drift=drift,
        standing=sorted({level for policy, _b in rooms for level in policy.always_levels}),
        now=list(inside),
        anyone=anyone,
        next_at=next_at,
        next_opens=bool(next_at and edges[next_at]),
    )


def _names(emails: Iterable[str], window: Window, holders: Mapping[str, Sequence[_Holder]], now: datetime) -> list[str]:
    """Those with a card that is valid now."""
    return [
        holder.name
        for email in emails
        for holder in holders.get(email, ())
        if (valid := holder.card.within(window)) is not None and valid.covers(now)
    ]


def _bars(booking: Booking, title: str, policy: Policy, day: Day) -> list[Bar]:
    admitted, window = admission(booking, policy), admission_window(booking, policy)
    kind = "void" if admitted is None else "open" if admitted.unlocked else "booked"
    parts = [(kind, booking.starts_at, booking.ends_at)]
    if admitted is not None and (policy.admit_organizer or policy.admit_attendees or admitted.levels):
        assert window.start is not None
        assert window.end is not None
        parts += [("lead", window.start, booking.starts_at), ("grace", booking.ends_at, window.end)]
    return [
        Bar(kind, day.x(first), round(day.x(last) - day.x(first), 1), title)
        for kind, first, last in parts
        if first < day.end and last > day.start and first < last
    ]
