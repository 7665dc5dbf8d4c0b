"""From the database to planning: what a controller should hold, and whom bookings admit that nobody can find."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from accessmap.models import (
    MAX_LEAD_MINUTES,
    AccessPolicy,
    Card,
    CardStatus,
    Controller,
    Resource,
    ResourceDoor,
    normal_email,
)
from doorsync import planning
from doorsync.models import StoredBooking, UnmappedResource

_PREFETCH = ("policy__admit_levels", "policy__always_levels")


def desired_for(controller: Controller, now: datetime) -> planning.Desired:
    """What the bookings, the map and the policies want this controller to hold at `now`."""
    doors: dict[int, list[int]] = defaultdict(list)
    links = ResourceDoor.objects.filter(door__controller=controller).values_list("resource_id", "door__number")
    for resource_id, number in links:
        doors[resource_id].append(number)
    resources = list(Resource.objects.filter(pk__in=doors).select_related("policy").prefetch_related(*_PREFETCH))
    bookings = list(_bookings(resources, now))
    return planning.plan(
        [planning.PlannedResource(str(r.pk), tuple(sorted(doors[r.pk])), _policy(r.policy)) for r in resources],
        [_booking(b) for b in bookings],
        _people(resources, bookings),
        now=now,
    )


def unmapped_emails(now: datetime) -> set[str]:
    """Emails that admitting bookings name and that lead to no active card, normalised; "" for a blank one."""
    resources = Resource.objects.filter(doors__isnull=False).distinct()
    resources = resources.select_related("policy").prefetch_related(*_PREFETCH)
    policies = {r.pk: _policy(r.policy) for r in resources}
    bookings = list(_bookings(resources, now))
    people = _people(list(resources), bookings)
    missing: set[str] = set()
    for booking in bookings:
        admitted = planning.admitted_emails(_booking(booking), policies[booking.resource_id])
        missing.update(email for email in admitted if not people.by_email.get(email))
    return missing


def unmapped_resources() -> set[str]:
    """Ids of resources whose bookings reach no door: unknown to the map, or with no door there."""
    known = Resource.objects.filter(external_id=OuterRef("external_id"))
    unknown = UnmappedResource.objects.exclude(Exists(known)).values_list("external_id", flat=True)
    doorless = Resource.objects.filter(doors__isnull=True).values_list("external_id", flat=True)
    return {*unknown, *doorless}


def _bookings(resources: Iterable[Resource], now: datetime) -> QuerySet[StoredBooking]:
    # No grace is longer than this, so nothing that can still admit is left out.
    return StoredBooking.objects.filter(
        resource__in=[r.pk for r in resources], ends_at__gt=now - timedelta(minutes=MAX_LEAD_MINUTES)
    )


def _policy(policy: AccessPolicy) -> planning.Policy:
    return planning.Policy(
        admit_organizer=policy.admit_organizer,
        admit_attendees=policy.admit_attendees,
        admit_anyone=policy.admit_anyone,
        admit_levels=frozenset(level.name for level in policy.admit_levels.all()),
        always_levels=frozenset(level.name for level in policy.always_levels.all()),
        statuses=frozenset(policy.statuses),
        lead=timedelta(minutes=policy.lead_minutes),
        grace=timedelta(minutes=policy.grace_minutes),
    )


def _booking(booking: StoredBooking) -> planning.PlannedBooking:
    return planning.PlannedBooking(
        id=booking.external_id,
        resource_id=str(booking.resource_id),
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        status=booking.status,
        organizer=normal_email(booking.organizer_email),
        attendees=tuple(normal_email(email) for email in booking.attendee_emails),
    )


def _people(resources: Iterable[Resource], bookings: Iterable[StoredBooking]) -> planning.People:
    emails = {normal_email(e) for b in bookings for e in (b.organizer_email, *b.attendee_emails)} - {""}
    levels = {level.name for r in resources for level in (*r.policy.admit_levels.all(), *r.policy.always_levels.all())}
    by_email: dict[str, list[planning.PlannedCard]] = defaultdict(list)
    by_level: dict[str, list[planning.PlannedCard]] = defaultdict(list)
    cards = (
        Card.objects.filter(status=CardStatus.ACTIVE)
        .annotate(holder_email=Lower("cardholder__email"))
        .filter(Q(holder_email__in=emails) | Q(cardholder__access_levels__name__in=levels))
        .select_related("cardholder")
        .prefetch_related("cardholder__access_levels")
        .distinct()
    )
    for card in cards:
        planned = planning.PlannedCard(card.number, card.valid_from, card.valid_until)
        email = normal_email(card.cardholder.email)
        if email:
            by_email[email].append(planned)
        for level in card.cardholder.access_levels.all():
            by_level[level.name].append(planned)
    return planning.People(
        {email: tuple(found) for email, found in by_email.items()},
        {level: tuple(found) for level, found in by_level.items()},
    )
