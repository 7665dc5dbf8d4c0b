"""Missing cards and doors: who is admitted and has no card, which resources have no door, which cards are unmanaged.

What will matter first comes first.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from django.db.models import CharField, Exists, F, Func, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from accessmap.models import Card, Cardholder, CardStatus, Resource, normal_email
from doorsync.controllers.desired import admitting_bookings
from doorsync.models import StoredBooking, UnmanagedCard, UnmappedResource, values
from doorsync.policy.rules import ValidCard, admission

# Bookings that begin later are not shown yet.
AHEAD = timedelta(days=2)
# At most so many resources that the map does not have are shown.
SHOWN_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class PersonWithoutCard:
    """An email of coming bookings without a usable card. `cardholder`: who has this email, if anybody."""

    email: str
    booking: StoredBooking  # the first
    bookings: int
    cardholder: Cardholder | None


@dataclass(frozen=True, slots=True)
class ResourceWithoutDoor:
    """A resource whose bookings reach no door. `resource`: None where the map does not have it."""

    external_id: str
    name: str
    first_at: datetime | None  # None: no booking is known
    resource: Resource | None


def people(now: datetime) -> list[PersonWithoutCard]:
    """Who is admitted within two days of `now` (aware), and has no card for it; the soonest first."""
    bookings: dict[str, list[StoredBooking]] = defaultdict(list)
    for email, booking in _without_card(now):
        if email and booking.starts_at < now + AHEAD and booking.ends_at > now:
            bookings[email].append(booking)
    holders = Cardholder.objects.annotate(normal=Lower("email")).filter(normal__in=bookings)
    known = {normal_email(holder.email): holder for holder in holders}
    unmapped = [
        PersonWithoutCard(email, min(of_email, key=lambda b: b.starts_at), len(of_email), known.get(email))
        for email, of_email in bookings.items()
    ]
    return sorted(unmapped, key=lambda person: (person.booking.starts_at, person.email))


def emails_without_card(now: datetime) -> set[str]:
    """The normalised emails that bookings admit from `now` (aware) on, and that have no card for it; "" for a blank."""
    return {email for email, _booking in _without_card(now)}


def _without_card(now: datetime) -> Iterator[tuple[str, StoredBooking]]:
    """Each email, normalised, that a booking admits and that has no card that is valid then; "" for a blank one."""
    policies = values.policies_of(Resource.objects.filter(doors__isnull=False).distinct())
    cards: dict[str, list[ValidCard]] = defaultdict(list)
    active = Card.objects.filter(status=CardStatus.ACTIVE, cardholder__email__gt="")
    columns = ("cardholder__email", "number", "valid_from", "valid_until")
    for email, number, valid_from, valid_until in active.values_list(*columns):
        cards[normal_email(email)].append(ValidCard(number, valid_from, valid_until))
    always = {e for e, of_email in cards.items() if any(c.valid_from is c.valid_until is None for c in of_email)}
    # Pages ask this of a whole building: only the few bookings that name somebody else are read.
    stored = admitting_bookings(policies, now)
    attendee = Func(F("attendee_emails"), function="unnest", output_field=CharField())
    named = chain(stored.values_list("pk", "organizer_email"), stored.values_list("pk", attendee))
    chosen = stored.filter(pk__in={pk for pk, email in named if normal_email(email) not in always})
    for row in chosen.select_related("resource"):
        admitted = admission(values.booking_of(row), policies[row.resource_id])
        if admitted is None:
            continue
        if admitted.has_blank:
            yield "", row
        for email in admitted.emails:
            windows = (card.within(admitted.window) for card in cards.get(email, ()))
            if not any(window is not None and not window.lapsed(now) for window in windows):
                yield email, row


def rooms(now: datetime) -> list[ResourceWithoutDoor]:
    """Resources whose bookings reach no door; those with a booking first, the soonest before the others."""
    coming = Min("bookings__starts_at", filter=Q(bookings__ends_at__gt=now))
    doorless = Resource.objects.filter(doors__isnull=True).annotate(first_at=coming)
    unmapped = [ResourceWithoutDoor(room.external_id, room.name, room.first_at, room) for room in doorless]
    unmapped += [
        ResourceWithoutDoor(row.external_id, row.name, None, None) for row in _unknown_resources()[:SHOWN_AT_MOST]
    ]
    return sorted(unmapped, key=lambda room: (room.first_at is None, room.first_at or now, room.name, room.external_id))


def resources_without_door() -> set[str]:
    """Ids of the resources whose bookings reach no door: not in the map, or without a door there."""
    doorless = Resource.objects.filter(doors__isnull=True).values_list("external_id", flat=True)
    return {*_unknown_resources().values_list("external_id", flat=True), *doorless}


def _unknown_resources() -> QuerySet[UnmappedResource]:
    known = Resource.objects.filter(external_id=OuterRef("external_id"))
    return UnmappedResource.objects.exclude(Exists(known))


def cards() -> QuerySet[UnmanagedCard]:
    """Entries in controllers that the portal did not write: cards that the map does not have, or that bookings want."""
    known = Card.objects.filter(number=OuterRef("number"))
    rows = UnmanagedCard.objects.filter(Q(wanted=True) | ~Exists(known)).select_related("controller")
    return rows.order_by("-wanted", "controller__name", "number")
