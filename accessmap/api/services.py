"""Changes of one cardholder or card, each in the audit log under the key's name. Call them in a transaction."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from accessmap.api.models import ApiKey
from accessmap.api.serializers import check_validity
from accessmap.models import AccessLevel, Card, Cardholder, Membership, masked, normal_email
from accessmap.services.cards import record_status_changes
from portal.audit.models import record


def create_cardholder(body: dict[str, Any], *, by: ApiKey) -> Cardholder:
    """Create a cardholder; `body` names the access levels. Raises ValidationError."""
    _check_email_is_free(body["email"])
    levels = _existing_levels(body.get("access_levels", []))
    person = Cardholder.objects.create(email=body["email"], name=body["name"])
    Membership.objects.bulk_create(Membership(cardholder=person, access_level=level) for level in levels)
    _record(by, "created", person, {"access_levels": {"added": [level.name for level in levels]}} if levels else {})
    return person


def change_cardholder(person: Cardholder, body: dict[str, Any], *, by: ApiKey) -> None:
    """Change the fields in `body`; access levels in it replace all others. Raises ValidationError."""
    if "email" in body and normal_email(body["email"]) != normal_email(person.email):
        _check_email_is_free(body["email"])
    detail: dict[str, Any] = {}
    fields = [name for name in ("email", "name") if name in body and getattr(person, name) != body[name]]
    if fields:
        for name in fields:
            setattr(person, name, body[name])
        person.save(update_fields=fields)
        detail["changed"] = fields
    if "access_levels" in body:
        detail |= _set_levels(person, _existing_levels(body["access_levels"]))
    if detail:
        _record(by, "changed", person, detail)


def delete_cardholder(person: Cardholder, *, by: ApiKey) -> None:
    """Delete a cardholder, and all cards with them."""
    cards = [{"card": masked(number), "what": "removed"} for number in person.cards.values_list("number", flat=True)]
    _record(by, "deleted", person, {"cards": cards})
    person.delete()


def create_card(body: dict[str, Any], *, by: ApiKey) -> Card:
    """Create a card. Raises ValidationError."""
    check_validity(body.get("valid_from"), body.get("valid_until"))
    if Card.objects.filter(number=body["number"]).exists():
        raise ValidationError({"number": [_("There is a card with this number already.")]})
    card: Card = Card.objects.create(**body)
    _record(by, "changed", card.cardholder, {"cards": [card_detail(card, "added")]})
    return card


def change_card(card: Card, body: dict[str, Any], *, by: ApiKey) -> None:
    """Change a card's status or validity. Raises ValidationError."""
    fields = [name for name, value in body.items() if getattr(card, name) != value]
    for name in fields:
        setattr(card, name, body[name])
    check_validity(card.valid_from, card.valid_until)
    if fields:
        card.save(update_fields=fields)
        _record(by, "changed", card.cardholder, {"cards": [card_detail(card, "changed")]})
        if "status" in fields:
            record_status_changes([card], actor=by.actor)


def delete_card(card: Card, *, by: ApiKey) -> None:
    """Delete a card, as if it had never been given."""
    _record(by, "changed", card.cardholder, {"cards": [card_detail(card, "removed")]})
    card.delete()


def card_detail(card: Card, what: str) -> dict[str, Any]:
    """A change of a card, for the audit log."""
    return {
        "card": masked(card.number),
        "what": what,
        "status": card.status,
        "valid_from": card.valid_from.isoformat() if card.valid_from else None,
        "valid_until": card.valid_until.isoformat() if card.valid_until else None,
    }


def levels_by_name(names: Iterable[str]) -> dict[str, AccessLevel]:
    return {level.name: level for level in AccessLevel.objects.filter(name__in=set(names))}


def unknown_level(name: str) -> str:
    """The error for an access level that does not exist."""
    return _("There is no access level “%(name)s”: make it in the admin first, or correct its name.") % {"name": name}


def people_by_email(emails: Collection[str]) -> Any:
    """The cardholders with these emails (normalised). Excluding blank ones lets PostgreSQL use the index."""
    return Cardholder.objects.exclude(email="").alias(normal=Lower("email")).filter(normal__in=emails)


def _check_email_is_free(email: str) -> None:
    if people_by_email([normal_email(email)]).exists():
        raise ValidationError({"email": [_("There is a cardholder with this email already.")]})


def _existing_levels(names: list[str]) -> list[AccessLevel]:
    levels = levels_by_name(names)
    unknown = [unknown_level(name) for name in names if name not in levels]
    if unknown:
        raise ValidationError({"access_levels": unknown})
    return list(levels.values())


def _set_levels(person: Cardholder, levels: list[AccessLevel]) -> dict[str, Any]:
    wanted = {level.pk: level.name for level in levels}
    present = dict(person.membership_set.values_list("access_level_id", "access_level__name"))
    added, removed = wanted.keys() - present.keys(), present.keys() - wanted.keys()
    Membership.objects.bulk_create(Membership(cardholder=person, access_level_id=pk) for pk in added)
    if removed:
        person.membership_set.filter(access_level__in=removed).delete()
    if not added and not removed:
        return {}
    names = {"added": sorted(wanted[pk] for pk in added), "removed": sorted(present[pk] for pk in removed)}
    return {"access_levels": {what: listed for what, listed in names.items() if listed}}


def _record(by: ApiKey, what: str, person: Cardholder, detail: dict[str, Any]) -> None:
    record(actor=by.actor, action=f"cardholder.{what}", on=person, detail={"key": by.prefix, **detail})
