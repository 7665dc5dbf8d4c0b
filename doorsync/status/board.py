"""The door board: each door's day as a line, who may enter now, and what changes next."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models.functions import Lower

from accessmap.models import AccessPolicy, Cardholder, CardStatus, Door, Resource, ResourceDoor, normal_email
from doorsync.models import StoredBooking
from portal.offision.types import BookingStatus

# In the drawing, a day is so many units wide whatever its length in hours.
WIDTH = 1440
# Nobody waits at a door for these.
_OVER = [BookingStatus.CANCELLED.value, BookingStatus.NO_SHOW.value]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the day, in units of the drawing. `kind`: booked, open (for anyone), lead, grace, or void, for what
    admits nobody."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A door's day."""

    door: Door
    bars: Sequence[Bar]
    drift: str  # why it is not as it should be; "" where it is
    standing: Sequence[str]  # access levels that may always pass
    now: Sequence[str]  # who may enter now by a booking, by name
    anyone: bool  # whether it is held unlocked now
    next_at: datetime | None
    next_opens: bool  # whether at that moment somebody more may enter, or fewer


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


def lines(doors: Sequence[Door], day: Day, now: datetime, drifting: dict[int, str]) -> list[Line]:
    """The board's lines for these doors, at `now` (aware). `drifting`: why a door (primary key) is not in step."""
    resources = (
        Resource.objects.filter(doors__in=doors)
        .distinct()
        .select_related("policy")
        .prefetch_related("policy__always_levels", "policy__admit_levels")
    )
    rooms = {room.pk: room for room in resources}
    of_door: dict[int, list[Resource]] = defaultdict(list)
    links = ResourceDoor.objects.filter(door__in=doors)
    for door_id, resource_id in links.values_list("door_id", "resource_id"):
        of_door[door_id].append(rooms[resource_id])
    bookings = _bookings(rooms.values(), day, now)
    names = _names(booking for some in bookings.values() for booking in some)
    return [
        _line(
            door, [(room, bookings[room.pk]) for room in of_door[door.pk]], day, now, names, drifting.get(door.pk, "")
        )
        for door in doors
    ]


def _bookings(rooms: Iterable[Resource], day: Day, now: datetime) -> dict[int, list[StoredBooking]]:
    found: dict[int, list[StoredBooking]] = defaultdict(list)
    first, last = min(day.start, now), max(day.end, now)
    margin = timedelta(days=1)  # no lead and no grace is longer
    rows = StoredBooking.objects.filter(
        resource__in=[room.pk for room in rooms], starts_at__lt=last + margin, ends_at__gt=first - margin
    ).exclude(status__in=_OVER)
    for booking in rows.order_by("starts_at"):
        found[booking.resource_id].append(booking)
    return found


def _names(bookings: Iterable[StoredBooking]) -> dict[str, str]:
    """The names of those with a card that opens, by normalised email."""
    emails = {normal_email(e) for b in bookings for e in (b.organizer_email, *b.attendee_emails)} - {""}
    holders = Cardholder.objects.annotate(normal=Lower("email")).filter(
        normal__in=emails, cards__status=CardStatus.ACTIVE
    )
    return dict(holders.values_list("normal", "name").distinct())


def _line(
    door: Door,
    rooms: Sequence[tuple[Resource, Sequence[StoredBooking]]],
    day: Day,
    now: datetime,
    names: dict[str, str],
    drift: str,
) -> Line:
    bars: list[Bar] = []
    inside: dict[str, None] = {}
    edges: dict[datetime, bool] = {}
    anyone = False
    for room, bookings in rooms:
        policy = room.policy
        for booking in bookings:
            bars += _bars(booking, policy, day)
            if booking.status not in policy.statuses:
                continue
            start, end = _window(booking, policy)
            edges |= {edge: opens for edge, opens in ((start, True), (end, False)) if edge > now}
            if start <= now < end:
                inside |= dict.fromkeys(_admitted(booking, policy, names))
                anyone = anyone or (policy.admit_anyone and booking.starts_at <= now < booking.ends_at)
    next_at = min(edges, default=None)
    return Line(
        door=door,
        bars=bars,
        drift=drift,
        standing=sorted({level.name for room, _b in rooms for level in room.policy.always_levels.all()}),
        now=list(inside),
        anyone=anyone,
        next_at=next_at,
        next_opens=bool(next_at and edges[next_at]),
    )


def _window(booking: StoredBooking, policy: AccessPolicy) -> tuple[datetime, datetime]:
    return (
        booking.starts_at - timedelta(minutes=policy.lead_minutes),
        booking.ends_at + timedelta(minutes=policy.grace_minutes),
    )


def _admitted(booking: StoredBooking, policy: AccessPolicy, names: dict[str, str]) -> list[str]:
    emails = [booking.organizer_email] if policy.admit_organizer else []
    emails += booking.attendee_emails if policy.admit_attendees else []
    people = [names[normal_email(email)] for email in emails if normal_email(email) in names]
    return people + [level.name for level in policy.admit_levels.all()]


def _bars(booking: StoredBooking, policy: AccessPolicy, day: Day) -> list[Bar]:
    counts = booking.status in policy.statuses
    kind = "void" if not counts else "open" if policy.admit_anyone else "booked"
    start, end = _window(booking, policy)
    title = f"{booking.title or booking.external_id} ({booking.get_status_display()})"
    parts = [(kind, booking.starts_at, booking.ends_at)]
    if counts and (policy.admit_organizer or policy.admit_attendees or policy.admit_levels.all()):
        parts += [("lead", start, booking.starts_at), ("grace", booking.ends_at, end)]
    return [
        Bar(kind, day.x(first), round(day.x(last) - day.x(first), 1), title)
        for kind, first, last in parts
        if first < day.end and last > day.start and first < last
    ]
