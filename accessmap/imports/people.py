"""The sheet of people, their cards and their access levels."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accessmap.imports import problems
from accessmap.imports.reader import Cell
from accessmap.imports.sheet import (
    BATCH,
    NOTHING,
    CellError,
    MapSheet,
    Row,
    delete_pairs,
    listed,
    name_of,
    with_parents,
)
from accessmap.models import AccessLevel, Card, Cardholder, CardStatus, Membership, masked, normal_email
from accessmap.services.cards import record_status_changes

_CARD = re.compile(r"([0-9A-Za-z-]{1,200})(?:\s*\(([^()]*)\))?")
_SHORTENED = re.compile(r"\d+(\.\d+)?[eE]\+\d+")
_FRACTION = re.compile(r"\d+[.,]\d+")
_STATUSES = {status.value: status for status in CardStatus}
MAX_EMAIL = 320

# A number as a sheet lists it; None where it says nothing of the card's status.
ListedCard = tuple[str, CardStatus | None]


class PeopleSheet(MapSheet):
    """One row a person: email, name, cards, access levels."""

    columns = ("email", "name", "cards", "access levels")
    key = "email"

    def load_map(self) -> None:
        self._people = {person.pk: person for person in Cardholder.objects.all()}
        self._by_email = {normal_email(person.email): person for person in self._people.values() if person.email}
        self._cards = {card.number: card for card in Card.objects.all()}
        levels = list(AccessLevel.objects.all())
        self._level_names = {level.pk: level.name for level in levels}
        self._levels_by_name = {level.name.casefold(): level.pk for level in levels}
        self._levels_of: dict[int, set[int]] = defaultdict(set)
        for person, level in Membership.objects.values_list("cardholder_id", "access_level_id"):
            self._levels_of[person].add(level)
        self._without_zeros = {number.lstrip("0") for number in self._cards if number.startswith("0")}
        place = self.sheet.headers.index("cards") if "cards" in self.sheet.headers else None
        cells = [] if place is None else [cells[place] for _number, cells in self.sheet.rows]
        # Where some numbers begin with zeros, a number cell may have lost its own.
        self._zeros_matter = bool(self._without_zeros) or any(
            cell.startswith("0") and not cell.numeric for cell in cells
        )
        self._new_people: list[Cardholder] = []
        self._renamed: list[Cardholder] = []
        self._new_cards: list[Card] = []
        self._changed_cards: list[Card] = []
        self._joined: list[Membership] = []
        self._left: set[tuple[int, int]] = set()

    def read_row(self, row: Row) -> None:
        email = row.read("email", self._email, row)
        cards: list[ListedCard] = row.read("cards", self._listed_cards, row) or []
        levels = row.read("access levels", self._levels, row["access levels"])
        name = row.read("name", name_of, row["name"])
        if row.errors:
            return
        person = row.read("email", self._holder, email, cards)
        if row.errors:
            return
        if person is None and not name:
            row.refuse("name", problems.NAME_MISSING())
        for number, _status in cards:
            row.read("cards", self._check_holder, number, person)
        if row.errors:
            return
        row.created = person is None
        if person is None:
            person = Cardholder(email=email, name=name)
            self._new_people.append(person)
            row.changes.append(problems.CREATED(name=str(person)))
        elif name and name != person.name:
            row.changes.append(problems.RENAMED(before=person.name, after=name))
            person.name = name
            self._renamed.append(person)
        row.subject = person.name
        for number, status in cards:
            self._change_card(row, person, number, status)
        if levels is not None:
            self._change_levels(row, person, levels)

    def _email(self, row: Row) -> str:
        email = str(row["email"])
        if not email:
            return ""
        try:
            validate_email(email)
        except ValidationError as error:
            raise CellError(problems.NO_EMAIL_ADDRESS(text=email[:100])) from error
        if len(email) > MAX_EMAIL:
            raise CellError(problems.TOO_LONG(n=MAX_EMAIL))
        if first := self.named_before(f"email:{normal_email(email)}", row):
            raise CellError(problems.NAMED_BEFORE(text=email, row=first))
        return email

    def _listed_cards(self, row: Row) -> list[ListedCard]:
        cell = row["cards"]
        cards = [self._card(text, numeric=cell.numeric) for part in re.split(r"[;,\n]", cell) if (text := part.strip())]
        for number, _status in cards:
            if first := self.named_before(f"card:{number}", row):
                raise CellError(problems.CARD_NAMED_BEFORE(card=masked(number), row=first))
        if len({number for number, _status in cards}) < len(cards):
            raise CellError(problems.CARD_TWICE())
        return cards

    def _card(self, text: str, *, numeric: bool) -> ListedCard:
        if "•" in text:
            raise CellError(problems.MASKED_CARD())
        if _SHORTENED.fullmatch(text):
            raise CellError(problems.SHORTENED(text=text, hint=problems.AS_TEXT()))
        if _FRACTION.fullmatch(text):
            raise CellError(problems.FRACTION_NUMBER(text=masked(text), hint=problems.AS_TEXT()))
        match = _CARD.fullmatch(text)
        if match is None:
            raise CellError(problems.NO_CARD_NUMBER(text=masked(text)))
        number, status = match.groups()
        if number not in self._cards:
            if number.isdigit() and number.lstrip("0") in self._without_zeros:
                raise CellError(problems.OTHER_ZEROS(card=masked(number), hint=problems.AS_TEXT()))
            if numeric and self._zeros_matter:
                raise CellError(problems.ZEROS_LOST(card=masked(number), hint=problems.AS_TEXT()))
        if status is None:
            return number, None
        word = status.strip().casefold()
        if word not in _STATUSES:
            raise CellError(problems.NO_CARD_STATUS(status=status[:40], known=", ".join(_STATUSES)))
        return number, _STATUSES[word]

    def _levels(self, cell: Cell) -> set[int] | None:
        """Primary keys; None for a blank cell."""
        if not cell:
            return None
        if cell == NOTHING:
            return set()
        levels = set()
        for name in filter(None, map(str.strip, re.split(r"[;\n]", cell))):
            if name.casefold() not in self._levels_by_name:
                raise CellError(problems.NO_LEVEL(name=name[:100], known=listed(self._level_names.values())))
            levels.add(self._levels_by_name[name.casefold()])
        return levels

    def _holder(self, email: str, cards: Sequence[ListedCard]) -> Cardholder | None:
        """The cardholder that a row is about; None for somebody new. Without an email, the cards decide."""
        if email:
            return self._by_email.get(normal_email(email))
        holders = {self._cards[number].cardholder_id for number, _status in cards if number in self._cards}
        if len(holders) > 1:
            raise CellError(problems.CARDS_OF_SEVERAL())
        if holders:
            person = self._people[holders.pop()]
            if person.email:
                raise CellError(problems.HOLDER_HAS_EMAIL(name=person.name))
            return person
        if not cards:
            raise CellError(problems.NOBODY_NAMED())
        return None

    def _check_holder(self, number: str, person: Cardholder | None) -> None:
        card = self._cards.get(number)
        if card is not None and (person is None or card.cardholder_id != person.pk):
            holder = self._people[card.cardholder_id]
            raise CellError(problems.CARD_OF_ANOTHER(card=masked(number), name=holder.name))

    def _change_card(self, row: Row, person: Cardholder, number: str, status: CardStatus | None) -> None:
        card = self._cards.get(number)
        if card is None:
            status = status or CardStatus.ACTIVE
            self._new_cards.append(Card(cardholder=person, number=number, status=status))
            row.changes.append(problems.CARD_ADDED(card=masked(number), status=problems.CARD_STATUS[status]()))
        elif status is not None and status != card.status:
            before, after = (problems.CARD_STATUS[CardStatus(value)]() for value in (card.status, status))
            row.changes.append(problems.CARD_CHANGED(card=masked(number), before=before, after=after))
            card.status, card.cardholder = status, person
            self._changed_cards.append(card)

    def _change_levels(self, row: Row, person: Cardholder, levels: set[int]) -> None:
        present = self._levels_of.get(person.pk, set()) if person.pk else set()
        for level in sorted(levels - present):
            self._joined.append(Membership(cardholder=person, access_level_id=level))
            row.changes.append(problems.LEVEL_JOINED(level=self._level_names[level]))
        for level in sorted(present - levels):
            self._left.add((person.pk, level))
            row.changes.append(problems.LEVEL_LEFT(level=self._level_names[level]))

    def write(self, *, actor: str) -> None:
        Cardholder.objects.bulk_create(self._new_people, batch_size=BATCH)
        Cardholder.objects.bulk_update(self._renamed, ["name"], batch_size=BATCH)
        Card.objects.bulk_create(with_parents(self._new_cards, "cardholder"), batch_size=BATCH)
        Card.objects.bulk_update(self._changed_cards, ["status"], batch_size=BATCH)
        delete_pairs(Membership, "cardholder_id", "access_level_id", self._left)
        Membership.objects.bulk_create(with_parents(self._joined, "cardholder"), batch_size=BATCH)
        record_status_changes(self._changed_cards, actor=actor)

    @classmethod
    def export_row(cls, instance: Any, *, whole_numbers: bool) -> list[str]:
        """`instance` is a Cardholder whose cards and access levels are prefetched."""
        cards = (
            (card.number if whole_numbers else masked(card.number))
            + ("" if card.status == CardStatus.ACTIVE else f" ({card.status})")
            for card in instance.cards.all()
        )
        levels = (level.name for level in instance.access_levels.all())
        return [instance.email, instance.name, "; ".join(cards), "; ".join(levels)]
