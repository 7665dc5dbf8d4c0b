"""Which controllers a change of the map touches."""

from collections.abc import Collection

from django.contrib.postgres.fields import ArrayField
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Lower

from accessmap.models import AccessPolicy, Card, Cardholder, CardStatus, Controller, Membership, Resource, normal_email
from accessmap.services.map_changes import MapChanges
from doorsync.models import ControllerCard, ControllerSync, StoredBooking


def controllers_touched_by(changes: MapChanges) -> QuerySet[Controller, int]:
    """Primary keys of the controllers whose desired permissions, doors or options may differ after these changes.

    A card counts where it is held, and where a booking or a policy names its holder. Both are needed: the first finds
    what was given, the second what is to be given, and what a reconciliation that is running is about to write.
    """
    if changes.everything:
        return Controller.objects.values_list("pk", flat=True)
    people = Cardholder.objects.filter(pk__in=changes.cardholders).exclude(email="")
    emails = changes.emails | {normal_email(email) for email in people.values_list("email", flat=True)}
    memberships = Membership.objects.filter(cardholder__in=changes.cardholders)
    levels = changes.levels | set(memberships.values_list("access_level_id", flat=True))
    policies = AccessPolicy.objects.filter(
        Q(pk__in=changes.policies) | Q(admit_levels__in=levels) | Q(always_levels__in=levels)
    )
    resources = Resource.objects.filter(
        Q(pk__in=changes.resources) | Q(policy__in=policies) | Q(pk__in=_booked_by(emails).values("resource"))
    )
    touched = Controller.objects.filter(
        Q(pk__in=changes.controllers)
        | Q(pk__in=resources.values("doors__controller"))
        | Q(cards__number__in=changes.card_numbers)
    )
    return touched.order_by().values_list("pk", flat=True).distinct()


def syncs_that_hold_inactive_cards(changes: MapChanges) -> QuerySet[ControllerSync]:
    """The controllers that hold a card which is not active any more, or is deleted: neither a back-off nor a
    suspension makes them wait."""
    held = ControllerCard.objects.exclude(state=ControllerCard.State.GONE)
    if not changes.everything:
        held = held.filter(number__in=changes.card_numbers)
    active = Card.objects.filter(number=OuterRef("number"), status=CardStatus.ACTIVE)
    return ControllerSync.objects.filter(controller__in=held.exclude(Exists(active)).values("controller"))


def _booked_by(emails: Collection[str]) -> QuerySet[StoredBooking]:
    """The bookings that name one of these emails (normalised) as organizer or attendee."""
    attendees: Func = Func(
        F("attendee_emails"), template="lower(%(expressions)s::text)::text[]", output_field=ArrayField(TextField())
    )
    return StoredBooking.objects.alias(organizer=Lower("organizer_email"), attendees=attendees).filter(
        Q(organizer__in=emails) | Q(attendees__overlap=list(emails))
    )
