"""From the database to the desired state: what a controller should hold, from bookings, access map and policies."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.db.models.functions import Lower

from accessmap.models import MAX_LEAD_MINUTES, Card, CardStatus, Controller, Resource, ResourceDoor
from doorsync.models import StoredBooking, values
from doorsync.policy import desired
from doorsync.policy.rules import Booking, Policy, ValidCard


def desired_for(controller: Controller, now: datetime) -> desired.Desired:
    """What a controller should hold at `now` (aware)."""
    doors: dict[int, list[int]] = defaultdict(list)
    links = ResourceDoor.objects.filter(door__controller=controller).values_list("resource_id", "door__number")
    for resource_id, number in links:
        doors[resource_id].append(number)
    policies = values.policies_of(Resource.objects.filter(pk__in=doors))
    bookings = values.bookings_of(admitting_bookings(policies, now))
    return desired.desired_state(
        [desired.Resource(str(pk), tuple(sorted(doors[pk])), policy) for pk, policy in policies.items()],
        bookings,
        _cardholders(policies, bookings),
        now=now,
    )


def admitting_bookings(resources: Iterable[int], now: datetime) -> QuerySet[StoredBooking]:
    """The stored bookings of these resources (primary keys) that may still admit somebody at `now` (aware)."""
    # No grace time is longer than this.
    return StoredBooking.objects.filter(resource__in=resources, ends_at__gt=now - timedelta(minutes=MAX_LEAD_MINUTES))


def _cardholders(policies: Mapping[int, Policy], bookings: Iterable[Booking]) -> desired.Cardholders:
    """The active cards of everybody that these bookings or policies name."""
    emails = {email for b in bookings for email in (b.organizer, *b.attendees)} - {""}
    levels = {level for policy in policies.values() for level in policy.admit_levels | policy.always_levels}
    active = Card.objects.filter(status=CardStatus.ACTIVE).order_by("number")
    of_card = ("number", "valid_from", "valid_until")
    named = active.annotate(email=Lower("cardholder__email")).filter(email__in=emails)
    members = active.filter(cardholder__membership__access_level__name__in=levels)
    return desired.Cardholders(
        _grouped(named.values_list("email", *of_card)),
        _grouped(members.values_list("cardholder__membership__access_level__name", *of_card)),
    )


def _grouped(
    rows: Iterable[tuple[str, str, datetime | None, datetime | None]],
) -> dict[str, tuple[ValidCard, ...]]:
    cards: dict[str, list[ValidCard]] = defaultdict(list)
    for key, number, valid_from, valid_until in rows:
        cards[key].append(ValidCard(number, valid_from, valid_until))
    return {key: tuple(of_key) for key, of_key in cards.items()}
