"""The sheet of people, their cards and their access levels."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from import_export.fields import Field
from tablib import Dataset

from accessmap.imports.reader import Cell, escaped
from accessmap.imports.resource import (
    BATCH,
    NOTHING,
    Columns,
    SheetResource,
    Understood,
    Wrong,
    delete_pairs,
    with_parents,
)
from accessmap.models import AccessLevel, Card, Cardholder, CardStatus, Membership, masked, normal_email

_CARD = re.compile(r"([0-9A-Za-z-]{1,200})(?:\s*\(([^()]*)\))?")
_SHORTENED = re.compile(r"\d+(\.\d+)?[eE]\+\d+")
_FRACTION = re.compile(r"\d+[.,]\d+")
_STATUSES = {status.value: status for status in CardStatus}


def _as_text() -> str:
    return _("format the column as text and enter it again")


class PeopleSheet(SheetResource):
    """One row a person: email, name, cards, access levels."""

    columns = ("email", "name", "cards", "access levels")
    key = "email"

    email = Field(attribute="email", column_name="email")
    name = Field(attribute="name", column_name="name")
    cards = Field(column_name="cards")
    levels = Field(column_name="access levels")

    class Meta:
        model = Cardholder
        import_id_fields = ("email",)
        fields = ("email", "name", "cards", "levels")
        use_bulk = True
        batch_size = chunk_size = BATCH
        skip_diff = True
        report_skipped = False

    def get_bulk_update_fields(self) -> list[str]:
        return ["name"]

    def load(self, dataset: Dataset) -> None:
        self._people = {person.pk: person for person in Cardholder.objects.all()}
        self._by_email = {normal_email(person.email): person for person in self._people.values() if person.email}
        self._cards = {card.number: card for card in Card.objects.all()}
        self._levels = {level.name.casefold(): level for level in AccessLevel.objects.all()}
        self._levels_of: dict[int, set[int]] = defaultdict(set)
        for person, level in Membership.objects.values_list("cardholder_id", "access_level_id"):
            self._levels_of[person].add(level)
        self._bare = {number.lstrip("0"): number for number in self._cards if number.startswith("0")}
        written = dataset["cards"] if "cards" in dataset.headers else []
        # Where some numbers begin with zeros, a number cell may have lost its own.
        self._zeros_matter = bool(self._bare) or any(cell.startswith("0") and not cell.numeric for cell in written)
        self._new_cards: list[Card] = []
        self._changed_cards: list[Card] = []
        self._new_members: list[Membership] = []
        self._ended: list[tuple[Cardholder, int]] = []

    def understand(self, row: dict[str, Cell], number: int) -> Understood:
        columns = Columns()
        email = columns.read("email", self._email, row["email"], number)
        cards: list[tuple[str, CardStatus | None]] = columns.read("cards", self._listed, row["cards"], number) or []
        levels = columns.read("access levels", self._named_levels, row["access levels"])
        name = str(row["name"])
        if len(name) > 200:
            columns.wrong["name"].append(_("has more than %(n)d characters") % {"n": 200})
        columns.check()
        person = columns.read("email", self._whose, email, cards)
        columns.check()
        new = person is None
        if new:
            person = Cardholder(email=email, name=name)
            if not name:
                columns.wrong["name"].append(_("somebody new needs a name"))
        for card_number, _status in cards:
            columns.read("cards", self._free_for, card_number, person)
        columns.check()
        found = self._means(person, new=new, who=str(name or person.name))
        if new:
            found.tell(lambda: _("new: %(person)s") % {"person": person})
        elif name and name != person.name:
            before, person.name, found.own = person.name, name, True
            found.tell(lambda: _("name: %(before)s → %(after)s") % {"before": before, "after": name})
        for card_number, status in cards:
            self._change_card(found, person, card_number, status)
        self._change_levels(found, person, levels)
        return found

    def _email(self, cell: Cell, number: int) -> str:
        email = str(cell)
        if not email:
            return ""
        try:
            validate_email(email)
        except ValidationError as error:
            raise Wrong(_("“%(text)s” is no email address") % {"text": email[:100]}) from error
        if len(email) > 320:
            raise Wrong(_("has more than %(n)d characters") % {"n": 320})
        self._once(f"email:{normal_email(email)}", number, email)
        return email

    def _listed(self, cell: Cell, number: int) -> list[tuple[str, CardStatus | None]]:
        found = []
        for part in re.split(r"[;,\n]", cell):
            text = part.strip()
            if text:
                found.append(self._card(text, numeric=cell.numeric))
                self._once(f"card:{found[-1][0]}", number, _("card %(card)s") % {"card": masked(found[-1][0])})
        if len({card for card, _status in found}) < len(found):
            raise Wrong(_("names a card twice"))
        return found

    def _card(self, text: str, *, numeric: bool) -> tuple[str, CardStatus | None]:
        if "•" in text:
            raise Wrong(_("holds a masked card number; only an export with whole numbers can be imported again"))
        if _SHORTENED.fullmatch(text):
            raise Wrong(_("“%(text)s” was shortened by the spreadsheet; %(hint)s") % {"text": text, "hint": _as_text()})
        if _FRACTION.fullmatch(text):
            raise Wrong(
                _("“%(text)s” is a number with a fraction; %(hint)s") % {"text": masked(text), "hint": _as_text()}
            )
        match = _CARD.fullmatch(text)
        if match is None:
            raise Wrong(
                _("“%(text)s” is no card number: digits, letters and hyphens, then perhaps (lost) or (returned)")
                % {"text": masked(text)}
            )
        number, status = match.groups()
        if number not in self._cards and number.isdigit() and (number.lstrip("0") in self._bare):
            raise Wrong(
                _("card %(card)s is known with other zeros before it; %(hint)s")
                % {"card": masked(number), "hint": _as_text()}
            )
        if number not in self._cards and numeric and self._zeros_matter:
            raise Wrong(
                _("card %(card)s is in a number cell, which may have lost zeros before it; %(hint)s")
                % {"card": masked(number), "hint": _as_text()}
            )
        if status is None:
            return number, None
        word = status.strip().casefold()
        if word not in _STATUSES:
            raise Wrong(
                _("“%(status)s” is no status of a card; there are: %(known)s")
                % {"status": status[:40], "known": ", ".join(_STATUSES)}
            )
        return number, _STATUSES[word]

    def _named_levels(self, cell: Cell) -> set[int] | None:
        """Primary keys; None where the cell says nothing."""
        if not cell:
            return None
        if cell == NOTHING:
            return set()
        found = set()
        for part in re.split(r"[;\n]", cell):
            name = part.strip()
            if name and name.casefold() not in self._levels:
                known = ", ".join(level.name for level in list(self._levels.values())[:20])
                raise Wrong(
                    _("there is no access level “%(name)s”; there are: %(known)s")
                    % {"name": name[:100], "known": known or "–"}
                )
            if name:
                found.add(self._levels[name.casefold()].pk)
        return found

    def _whose(self, email: str, cards: Sequence[tuple[str, Any]]) -> Cardholder | None:
        """The cardholder that a row is about; None for somebody new. Without an email, the cards tell."""
        if email:
            return self._by_email.get(normal_email(email))
        holders = {self._cards[card].cardholder_id for card, _status in cards if card in self._cards}
        if len(holders) > 1:
            raise Wrong(_("there is no email, and the cards are held by different people"))
        if holders:
            person = self._people[holders.pop()]
            if person.email:
                raise Wrong(_("there is no email, but the card's holder, %(name)s, has one") % {"name": person.name})
            return person
        if not cards:
            raise Wrong(_("there is no email and no card: nobody can tell who this is"))
        return None

    def _free_for(self, number: str, person: Cardholder) -> None:
        card = self._cards.get(number)
        if card is not None and card.cardholder_id != person.pk:
            raise Wrong(
                _("card %(card)s is held by %(name)s; a sheet moves no card from one person to another")
                % {"card": masked(number), "name": self._people[card.cardholder_id].name}
            )

    def _change_card(self, found: Understood, person: Cardholder, number: str, status: CardStatus | None) -> None:
        card = self._cards.get(number)
        if card is None:
            new = Card(cardholder=person, number=number, status=status or CardStatus.ACTIVE)
            self._new_cards.append(new)
            found.tell(lambda: _("card %(card)s added, %(status)s") % {"card": new, "status": new.get_status_display()})
        elif status is not None and status != card.status:
            before, card.status = CardStatus(card.status), status
            self._changed_cards.append(card)
            found.tell(
                lambda: (
                    _("card %(card)s: %(before)s → %(after)s")
                    % {"card": card, "before": before.label, "after": status.label}
                )
            )

    def _change_levels(self, found: Understood, person: Cardholder, levels: set[int] | None) -> None:
        if levels is None:
            return
        present = self._levels_of.get(person.pk, set()) if person.pk else set()
        for level in sorted(levels - present):
            self._new_members.append(Membership(cardholder=person, access_level_id=level))
            found.tell(partial(self._level_words, _("joins %(level)s"), level))
        for level in sorted(present - levels):
            self._ended.append((person, level))
            found.tell(partial(self._level_words, _("leaves %(level)s"), level))

    def _level_words(self, pattern: str, key: int) -> str:
        return pattern % {"level": next(level.name for level in self._levels.values() if level.pk == key)}

    def write_the_rest(self) -> None:
        Card.objects.bulk_create(with_parents(self._new_cards, "cardholder"), batch_size=BATCH)
        Card.objects.bulk_update(self._changed_cards, ["status"], batch_size=BATCH)
        ended = {(person.pk, level) for person, level in self._ended}
        delete_pairs(Membership, "cardholder_id", "access_level_id", ended)
        Membership.objects.bulk_create(with_parents(self._new_members, "cardholder"), batch_size=BATCH)

    # --- out

    def dehydrate_email(self, person: Cardholder) -> str:
        return escaped(person.email)

    def dehydrate_name(self, person: Cardholder) -> str:
        return escaped(person.name)

    def dehydrate_cards(self, person: Cardholder) -> str:
        """Its cards; `person.cards` and `person.access_levels` are prefetched."""
        return "; ".join(
            (card.number if self._whole_numbers else masked(card.number))
            + ("" if card.status == CardStatus.ACTIVE else f" ({card.status})")
            for card in person.cards.all()
        )

    def dehydrate_levels(self, person: Cardholder) -> str:
        return escaped("; ".join(level.name for level in person.access_levels.all()))
