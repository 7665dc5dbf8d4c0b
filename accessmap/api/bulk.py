"""Many cardholders by email at once: a few statements, however many rows, and a result for each row.

A row is applied as a whole or not at all. What a row does not name is left alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from accessmap.api.models import ApiKey
from accessmap.api.serializers import RowSerializer, in_order
from accessmap.api.services import card_detail, levels_by_name, people_by_email, unknown_level
from accessmap.models import Card, Cardholder, Membership, masked, normal_email
from accessmap.services.cards import status_entry
from portal.audit.models import Entry, Outcome
from portal.core import clock
from portal.core.api.errors import flat

MAX_ROWS = 1000
_BATCH = 250  # rows an UPDATE: its cost grows with the square
# Two bulks at once would wait for each other's people crosswise: one comes after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('accessmap.api.bulk'))"
_Errors = list[dict[str, str]]


@dataclass
class Row:
    """A row of the request, and what is to be done for it."""

    number: int
    email: str | None
    said: dict[str, Any] = field(default_factory=dict)
    errors: _Errors = field(default_factory=list)
    person: Cardholder = field(default_factory=Cardholder)
    new: bool = False
    renamed: bool = False
    cards_added: list[Card] = field(default_factory=list)
    cards_changed: list[Card] = field(default_factory=list)
    statuses_changed: list[Card] = field(default_factory=list)
    cards_removed: list[Card] = field(default_factory=list)
    levels_added: list[str] = field(default_factory=list)
    levels_removed: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        if self.errors:
            return "refused"
        if self.new:
            return "created"
        return "updated" if self.detail() else "unchanged"

    def detail(self) -> dict[str, Any]:
        """What changes, for the audit log."""
        cards = [
            *(card_detail(card, "added") for card in self.cards_added),
            *(card_detail(card, "changed") for card in self.cards_changed),
            *(card_detail(card, "removed") for card in self.cards_removed),
        ]
        levels = {"added": self.levels_added, "removed": self.levels_removed}
        levels = {what: names for what, names in levels.items() if names}
        found = {"changed": ["name"] if self.renamed else [], "cards": cards, "access_levels": levels}
        return {what: some for what, some in found.items() if some}

    def refuse(self, where: str, message: str) -> None:
        self.errors.append({"field": where, "message": message})


def upsert(sent: list[Any], *, by: ApiKey, atomic: bool) -> list[Row]:
    """Make the map say what these rows say, and return each with what came of it.

    `atomic`: if one is refused, nothing is done. Raises django.db.IntegrityError where the map is changed meanwhile.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        rows = _read(sent)
        _plan([row for row in rows if not row.errors])
        good = [row for row in rows if not row.errors]
        if len(good) == len(rows) or not atomic:
            _apply(good, by)
    return rows


def _read(sent: list[Any]) -> list[Row]:
    """The rows, each with what is wrong with it by itself or beside the others."""
    reader = RowSerializer()
    seen: dict[str, int] = {}
    rows = []
    for number, one in enumerate(sent):
        email = one.get("email") if isinstance(one, dict) else None
        row = Row(number, email[:320] if isinstance(email, str) else None)
        rows.append(row)
        try:
            row.said = reader.run_validation(one)
        except ValidationError as error:
            row.errors = flat(error.detail)
            continue
        first = seen.setdefault(normal_email(row.said["email"]), number)
        if first != number:
            row.refuse("email", _("Row %(row)d names this email already.") % {"row": first})
    return rows


def _plan(rows: list[Row]) -> None:
    """Compare with the map. Everything that is needed of it is read, and locked, once."""
    emails = [normal_email(row.said["email"]) for row in rows]
    locked = people_by_email(emails).select_for_update().order_by("pk")
    people = {normal_email(person.email): person for person in locked}
    named = {card["number"] for row in rows for card in row.said.get("cards", [])}
    cards = {card.number: card for card in Card.objects.select_for_update().filter(number__in=named).order_by("pk")}
    replace = [email for email, row in zip(emails, rows, strict=True) if row.said["replace_cards"]]
    replacing = [people[email].pk for email in replace if email in people]
    of_person: dict[int, list[Card]] = defaultdict(list)
    for card in Card.objects.select_for_update().filter(cardholder__in=replacing).order_by("pk"):
        of_person[card.cardholder_id].append(card)
    levels = levels_by_name(name for row in rows for name in row.said.get("access_levels", []))
    member: dict[int, set[str]] = defaultdict(set)
    memberships = Membership.objects.filter(cardholder__in=[person.pk for person in people.values()])
    for pk, name in memberships.values_list("cardholder_id", "access_level__name"):
        member[pk].add(name)

    given: dict[str, int] = {}
    for email, row in zip(emails, rows, strict=True):
        _plan_person(row, people.get(email))
        _plan_cards(row, cards, of_person[row.person.pk] if row.person.pk else [], given)
        _plan_levels(row, levels.keys(), member[row.person.pk] if row.person.pk else set())
        if not row.errors:
            given |= dict.fromkeys((card.number for card in row.cards_added), row.number)


def _plan_person(row: Row, person: Cardholder | None) -> None:
    name = row.said["name"]
    if person is None:
        row.new, row.person = True, Cardholder(email=row.said["email"], name=name)
        return
    row.person = person
    row.renamed = person.name != name
    person.name = name


def _plan_cards(row: Row, cards: dict[str, Card], present: list[Card], given: dict[str, int]) -> None:
    said = row.said.get("cards", [])
    for number, times in Counter(card["number"] for card in said).items():
        if times > 1:
            row.refuse("cards", _("Card %(card)s is named twice.") % {"card": masked(number)})
    for at, wanted in enumerate(said):
        where, number = f"cards.{at}", wanted["number"]
        card = cards.get(number)
        if card is None and number in given:
            message = _("Row %(row)d gives this card to somebody else.") % {"row": given[number]}
            row.refuse(f"{where}.number", message)
        elif card is None:
            card = Card(**wanted)
            row.cards_added.append(card)
        elif row.new or card.cardholder_id != row.person.pk:
            row.refuse(f"{where}.number", _("This card belongs to somebody else: take it away there first."))
        elif any(getattr(card, name) != value for name, value in wanted.items()):
            if wanted.get("status", card.status) != card.status:
                row.statuses_changed.append(card)
            for name, value in wanted.items():
                setattr(card, name, value)
            row.cards_changed.append(card)
        try:
            in_order(card.valid_from, card.valid_until) if card else None
        except ValidationError as error:
            row.errors += flat(error.detail, where)
    if row.said["replace_cards"]:
        kept = {card["number"] for card in said}
        row.cards_removed = [card for card in present if card.number not in kept]


def _plan_levels(row: Row, known: Any, present: set[str]) -> None:
    if "access_levels" not in row.said:
        return
    wanted = dict.fromkeys(row.said["access_levels"])
    for name in wanted:
        if name not in known:
            row.refuse("access_levels", unknown_level(name))
    row.levels_added = [name for name in wanted if name not in present]
    if row.said["replace_access_levels"]:
        row.levels_removed = sorted(present - wanted.keys())


def _apply(rows: list[Row], by: ApiKey) -> None:
    rows = [row for row in rows if row.outcome != "unchanged"]
    if not rows:
        return
    Cardholder.objects.bulk_create(row.person for row in rows if row.new)
    renamed = [row.person for row in rows if row.renamed]
    if renamed:
        Cardholder.objects.bulk_update(renamed, ["name"], batch_size=_BATCH)
    removed = [card.pk for row in rows for card in row.cards_removed]
    if removed:
        Card.objects.filter(pk__in=removed).delete()
    for row in rows:
        for card in row.cards_added:
            card.cardholder = row.person
    Card.objects.bulk_create(card for row in rows for card in row.cards_added)
    changed = [card for row in rows for card in row.cards_changed]
    if changed:
        Card.objects.bulk_update(changed, ["status", "valid_from", "valid_until"], batch_size=_BATCH)
    _apply_levels(rows)
    Entry.objects.bulk_create(entry for row in rows for entry in _log_entries(row, by))


def _apply_levels(rows: list[Row]) -> None:
    levels = levels_by_name(name for row in rows for name in (*row.levels_added, *row.levels_removed))
    leaving: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        for name in row.levels_removed:
            leaving[name].append(row.person.pk)
    for name, people in leaving.items():
        Membership.objects.filter(access_level=levels[name], cardholder__in=people).delete()
    Membership.objects.bulk_create(
        Membership(cardholder=row.person, access_level=levels[name]) for row in rows for name in row.levels_added
    )


def _log_entries(row: Row, by: ApiKey) -> Iterator[Entry]:
    yield Entry(
        at=clock.now(),
        actor=by.actor,
        action="cardholder.created" if row.new else "cardholder.changed",
        object_type=Cardholder._meta.label,
        object_id=str(row.person.pk),
        object_label=str(row.person)[:300],
        outcome=Outcome.DONE,
        detail={"key": by.prefix, **row.detail()},
    )
    for card in row.statuses_changed:
        card.cardholder = row.person  # as it is known already, or it would be asked for
        yield status_entry(card, actor=by.actor)
