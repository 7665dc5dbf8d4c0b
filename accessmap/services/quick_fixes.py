"""Fix the map in one step: a card for a person in a booking, a door for a resource that is booked.

Both raise django.core.exceptions.ValidationError with messages for staff, and change nothing then.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accessmap.models import AccessPolicy, Card, Cardholder, Door, Resource, ResourceDoor, masked, normal_email
from portal.audit.models import record


@transaction.atomic
def give_card(*, email: str, name: str, number: str, actor: str) -> Cardholder:
    """Give a card to the cardholder with this email. Where there is none, create one called `name`."""
    if not normal_email(email):
        raise ValidationError(_("Enter the email by which bookings name the person."), "no_email")
    holder = Cardholder.objects.filter(email__iexact=normal_email(email)).select_for_update().first()
    if holder is None:
        holder = Cardholder(email=email, name=name or email)
        holder.full_clean()
        holder.save()
    elif card := Card.objects.filter(number=number).exclude(cardholder=holder).first():
        raise ValidationError(
            _("Card %(number)s is %(who)s's."),
            "card_of_another",
            {"number": masked(number), "who": card.cardholder},
        )
    card = Card(cardholder=holder, number=number)
    card.full_clean()
    card.save()
    record(actor=actor, action="card.given", on=holder, label=f"{holder.name}: {masked(number)}")
    return holder


@transaction.atomic
def give_door(external_id: str, name: str, door: Door | None, policy: AccessPolicy | None, *, actor: str) -> Resource:
    """Link a door to the resource with this id in Offision, which `name` and `policy` create if there is none."""
    if door is None:
        raise ValidationError(_("Choose a door."), "no_door")
    resource = Resource.objects.filter(external_id=external_id).first()
    if resource is None:
        if policy is None:
            raise ValidationError(_("Choose an access policy."), "no_policy")
        resource = Resource(site=door.controller.site, external_id=external_id, name=name or external_id, policy=policy)
        resource.full_clean()
        resource.save()
    ResourceDoor.objects.get_or_create(resource=resource, door=door)
    record(actor=actor, action="door.given", on=resource, detail={"door": f"{door.controller}: {door}"})
    return resource
