"""Whom bookings admit that has no card, which rooms have no door, which cards nobody knows: in the order in which it
will hurt."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from accessmap.models import Card, Cardholder, Resource, normal_email
from doorsync.controllers import desired
from doorsync.controllers.desired import without_card
from doorsync.models import StoredBooking, UnmanagedCard, UnmappedResource
from doorsync.policy import rules

# What begins later is not shown yet.
AHEAD = timedelta(days=2)
# So many resources that the map does not know are shown.
AT_MOST = 200


@dataclass(frozen=True, slots=True)
class UnmappedPerson:
    """An email of coming bookings that leads to no card that opens. `cardholder`: somebody has it, and no such card."""

    email: str
    booking: StoredBooking  # the first
    bookings: int
    cardholder: Cardholder | None


@dataclass(frozen=True, slots=True)
class UnmappedRoom:
    """A resource whose bookings reach no door. `resource`: as the map knows it; None where it does not."""

    external_id: str
    name: str
    first_at: datetime | None  # None: no booking is known, or they are not fetched
    resource: Resource | None


def people(now: datetime) -> list[UnmappedPerson]:
    """Whom bookings within two days of `now` (aware) should admit, and can't; the soonest first."""
    found: dict[str, list[rules.PlannedBooking]] = defaultdict(list)
    for email, booking in desired.without_card(now):
        if email and booking.starts_at < now + AHEAD and booking.ends_at > now:
            found[email].append(booking)
    first = {email: min(bookings, key=lambda b: b.starts_at) for email, bookings in found.items()}
    holders = Cardholder.objects.annotate(normal=Lower("email")).filter(normal__in=first)
    known = {normal_email(holder.email): holder for holder in holders}
    ids = {booking.id for booking in first.values()}
    stored = {
        (str(b.resource_id), b.external_id): b
        for b in StoredBooking.objects.filter(external_id__in=ids).select_related("resource")
    }
    people = [
        UnmappedPerson(
            email=email,
            booking=stored[booking.resource_id, booking.id],
            bookings=len(found[email]),
            cardholder=known.get(email),
        )
        for email, booking in first.items()
    ]
    return sorted(people, key=lambda one: (one.booking.starts_at, one.email))


def rooms(now: datetime) -> list[UnmappedRoom]:
    """Resources whose bookings reach no door; those with a booking first, the soonest before the others."""
    coming = Min("bookings__starts_at", filter=Q(bookings__ends_at__gt=now))
    doorless = Resource.objects.filter(doors__isnull=True).annotate(first_at=coming)
    found = [UnmappedRoom(room.external_id, room.name, room.first_at, room) for room in doorless]
    known = Resource.objects.filter(external_id=OuterRef("external_id"))
    unknown = UnmappedResource.objects.exclude(Exists(known))[:AT_MOST]
    found += [UnmappedRoom(row.external_id, row.name, None, None) for row in unknown]
    return sorted(found, key=lambda room: (room.first_at is None, room.first_at or now, room.name, room.external_id))


def cards() -> QuerySet[UnmanagedCard]:
    """What the portal did not write into controllers: cards that the map does not know, or that bookings want."""
    known = Card.objects.filter(number=OuterRef("number"))
    rows = UnmanagedCard.objects.filter(Q(wanted=True) | ~Exists(known)).select_related("controller")
    return rows.order_by("-wanted", "controller__name", "number")


def unmapped_emails(now: datetime) -> set[str]:
    """Emails that admitting bookings name and that lead to no active card, normalised; "" for a blank one."""
    return {email for email, _booking in without_card(now)}


def unmapped_resources() -> set[str]:
    """Ids of resources whose bookings reach no door: unknown to the map, or with no door there."""
    known = Resource.objects.filter(external_id=OuterRef("external_id"))
    unknown = UnmappedResource.objects.exclude(Exists(known)).values_list("external_id", flat=True)
    doorless = Resource.objects.filter(doors__isnull=True).values_list("external_id", flat=True)
    return {*unknown, *doorless}
