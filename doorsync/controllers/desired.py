"""From the database to planning: what a controller should hold, and whom bookings admit that nobody can find."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain

from django.db.models import CharField, F, Func, QuerySet
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
from doorsync.models import StoredBooking
from doorsync.policy import plan, rules


def desired_for(controller: Controller, now: datetime) -> plan.Desired:
    """What the bookings, the map and the policies want this controller to hold at `now`."""
    doors: dict[int, list[int]] = defaultdict(list)
    links = ResourceDoor.objects.filter(door__controller=controller).values_list("resource_id", "door__number")
    for resource_id, number in links:
        doors[resource_id].append(number)
    policies = _policies(Resource.objects.filter(pk__in=doors))
    bookings = _planned(_stored(policies, now))
    return plan.plan(
        [plan.PlannedResource(str(pk), tuple(sorted(doors[pk])), policy) for pk, policy in policies.items()],
        bookings,
        _people(policies, bookings),
        now=now,
    )


def without_card(now: datetime) -> list[tuple[str, rules.PlannedBooking]]:
    """Whom admitting bookings name and who has no active card: emails, normalised ("" for a blank one), and where."""
    policies = _policies(Resource.objects.filter(doors__isnull=False).distinct())
    active = Card.objects.filter(status=CardStatus.ACTIVE, cardholder__email__gt="")
    served = {normal_email(email) for email in active.values_list("cardholder__email", flat=True)}
    # Pages ask this of a whole building: the few bookings that name somebody else are looked for before they are read.
    stored = _stored(policies, now)
    attendee = Func(F("attendee_emails"), function="unnest", output_field=CharField())
    named = chain(stored.values_list("pk", "organizer_email"), stored.values_list("pk", attendee))
    chosen = stored.filter(pk__in={pk for pk, email in named if normal_email(email) not in served})
    return [
        (email, booking)
        for booking in _planned(chosen)
        for email in rules.admitted_emails(booking, policies[int(booking.resource_id)])
        if email not in served
    ]


def _policies(resources: QuerySet[Resource]) -> dict[int, rules.Policy]:
    """The policy of each resource, by primary key."""
    rows = resources.select_related("policy").prefetch_related("policy__admit_levels", "policy__always_levels")
    return {row.pk: _policy(row.policy) for row in rows}


def _policy(policy: AccessPolicy) -> rules.Policy:
    return rules.Policy(
        admit_organizer=policy.admit_organizer,
        admit_attendees=policy.admit_attendees,
        admit_anyone=policy.admit_anyone,
        admit_levels=frozenset(level.name for level in policy.admit_levels.all()),
        always_levels=frozenset(level.name for level in policy.always_levels.all()),
        statuses=frozenset(policy.statuses),
        lead=timedelta(minutes=policy.lead_minutes),
        grace=timedelta(minutes=policy.grace_minutes),
    )


def _stored(resources: Iterable[int], now: datetime) -> QuerySet[StoredBooking]:
    """The stored bookings of these resources (primary keys) that may still admit somebody."""
    # No grace is longer than this, so nothing that can still admit is left out.
    return StoredBooking.objects.filter(resource__in=resources, ends_at__gt=now - timedelta(minutes=MAX_LEAD_MINUTES))


def _planned(stored: QuerySet[StoredBooking]) -> list[rules.PlannedBooking]:
    rows = stored.values_list(
        "external_id", "resource_id", "starts_at", "ends_at", "status", "organizer_email", "attendee_emails"
    )
    return [
        rules.PlannedBooking(
            id=external_id,
            resource_id=str(resource_id),
            starts_at=starts_at,
            ends_at=ends_at,
            status=status,
            organizer=normal_email(organizer),
            attendees=tuple(normal_email(email) for email in attendees),
        )
        for external_id, resource_id, starts_at, ends_at, status, organizer, attendees in rows
    ]


def _people(policies: Mapping[int, rules.Policy], bookings: Iterable[rules.PlannedBooking]) -> plan.People:
    """The active cards of everybody whom these bookings or policies name."""
    emails = {email for b in bookings for email in (b.organizer, *b.attendees)} - {""}
    levels = {level for policy in policies.values() for level in policy.admit_levels | policy.always_levels}
    active = Card.objects.filter(status=CardStatus.ACTIVE).order_by("number")
    of_card = ("number", "valid_from", "valid_until")
    named = active.annotate(email=Lower("cardholder__email")).filter(email__in=emails)
    members = active.filter(cardholder__membership__access_level__name__in=levels)
    return plan.People(
        _grouped(named.values_list("email", *of_card)),
        _grouped(members.values_list("cardholder__membership__access_level__name", *of_card)),
    )


def _grouped(
    rows: Iterable[tuple[str, str, datetime | None, datetime | None]],
) -> dict[str, tuple[plan.PlannedCard, ...]]:
    found: dict[str, list[plan.PlannedCard]] = defaultdict(list)
    for key, number, valid_from, valid_until in rows:
        found[key].append(plan.PlannedCard(number, valid_from, valid_until))
    return {key: tuple(cards) for key, cards in found.items()}
