"""Changes of single cardholders and cards, each in the audit log under the key's name. Call them in a transaction."""

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


def create_cardholder(said: dict[str, Any], *, by: ApiKey) -> Cardholder:
    """A new cardholder, with the names of access levels. Raises ValidationError."""
    _email_is_free(said["email"])
    levels = _known_levels(said.get("access_levels", []))
    person = Cardholder.objects.create(email=said["email"], name=said["name"])
    Membership.objects.bulk_create(Membership(cardholder=person, access_level=level) for level in levels)
    _record(by, "created", person, {"access_levels": {"added": [level.name for level in levels]}} if levels else {})
    return person


def change_cardholder(person: Cardholder, said: dict[str, Any], *, by: ApiKey) -> None:
    """Change what is said; access levels, if said, are those and no others. Raises ValidationError."""
    if "email" in said and normal_email(said["email"]) != normal_email(person.email):
        _email_is_free(said["email"])
    detail: dict[str, Any] = {}
    fields = [name for name in ("email", "name") if name in said and getattr(person, name) != said[name]]
    if fields:
        for name in fields:
            setattr(person, name, said[name])
        person.save(update_fields=fields)
        detail["changed"] = fields
    if "access_levels" in said:
        detail |= _set_levels(person, _known_levels(said["access_levels"]))
    if detail:
        _record(by, "changed", person, detail)


def delete_cardholder(person: Cardholder, *, by: ApiKey) -> None:
    """Take a cardholder out of the map, and all cards with them."""
    cards = [{"card": masked(number), "what": "removed"} for number in person.cards.values_list("number", flat=True)]
    _record(by, "deleted", person, {"cards": cards})
    person.delete()


def create_card(said: dict[str, Any], *, by: ApiKey) -> Card:
    """A new card for a cardholder. Raises ValidationError."""
    check_validity(said.get("valid_from"), said.get("valid_until"))
    if Card.objects.filter(number=said["number"]).exists():
        raise ValidationError({"number": [_("There is a card with this number already.")]})
    card: Card = Card.objects.create(**said)
    _record(by, "changed", card.cardholder, {"cards": [card_detail(card, "added")]})
    return card


def change_card(card: Card, said: dict[str, Any], *, by: ApiKey) -> None:
    """Change a card's status or validity. Raises ValidationError."""
    fields = [name for name, value in said.items() if getattr(card, name) != value]
    for name in fields:
        setattr(card, name, said[name])
    check_validity(card.valid_from, card.valid_until)
    if fields:
        card.save(update_fields=fields)
        _record(by, "changed", card.cardholder, {"cards": [card_detail(card, "changed")]})
        if "status" in fields:
            record_status_changes([card], actor=by.actor)


def delete_card(card: Card, *, by: ApiKey) -> None:
    """Take a card out of the map, as if it had never been given."""
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
    """The sentence for an access level that does not exist."""
    return _("There is no access level “%(name)s”: make it in the admin first, or mend its name.") % {"name": name}


def people_by_email(emails: Collection[str]) -> Any:
    """The cardholders with these emails (normalised). The condition on blank ones lets the index be used."""
    return Cardholder.objects.exclude(email="").alias(normal=Lower("email")).filter(normal__in=emails)


def _email_is_free(email: str) -> None:
    if people_by_email([normal_email(email)]).exists():
        raise ValidationError({"email": [_("There is a cardholder with this email already.")]})


def _known_levels(names: list[str]) -> list[AccessLevel]:
    found = levels_by_name(names)
    unknown = [unknown_level(name) for name in names if name not in found]
    if unknown:
        raise ValidationError({"access_levels": unknown})
    return list(found.values())


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
    return {"access_levels": {what: some for what, some in names.items() if some}}


def _record(by: ApiKey, what: str, person: Cardholder, detail: dict[str, Any]) -> None:
    record(actor=by.actor, action=f"cardholder.{what}", on=person, detail={"key": by.prefix, **detail})
