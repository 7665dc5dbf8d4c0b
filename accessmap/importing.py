"""Sheets of people and of resources, out of the map and into it, by django-import-export.

A row is understood against a snapshot of the map and either says what it would change or what is wrong with it, by
column and in words. Nothing is written until every row was understood.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import ModelResource
from tablib import Dataset

from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    CardStatus,
    Door,
    MapImport,
    Membership,
    Resource,
    ResourceDoor,
    Site,
    masked,
    normal_email,
)
from accessmap.sheets import Cell, Sheet, SheetError, escaped

# The column in which a row carries its number in the spreadsheet; no header can be called so.
ROW = "\0row"
NOTHING = "-"
BATCH = 1000
# Rows of which the page tells; the counts tell of all.
TOLD = 200
PROGRESS_EVERY = 200

_CARD = re.compile(r"([0-9A-Za-z-]{1,200})(?:\s*\(([^()]*)\))?")
_SHORTENED = re.compile(r"\d+(\.\d+)?[eE]\+\d+")
_FRACTION = re.compile(r"\d+[.,]\d+")
_STATUSES = {status.value: status for status in CardStatus}


@dataclass
class Understood:
    """What a row means: whose it is, and in words what it changes."""

    instance: models.Model
    new: bool
    who: str
    changes: list[str] = field(default_factory=list)
    # Whether the row's own instance is to be written; else only what hangs on it.
    own: bool = False


class Wrong(Exception):
    """Something is wrong in one cell."""


class SheetResource(ModelResource):
    """What both sheets have in common: rows are understood one by one, and written together."""

    columns: ClassVar[tuple[str, ...]]
    key: ClassVar[str]

    def __init__(self, *, whole_numbers: bool = False, on_progress: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self._whole_numbers = whole_numbers
        self._on_progress = on_progress or (lambda _rows: None)
        self._rows_done = 0
        self._understood: Understood | None = None
        self._seen: dict[str, int] = {}
        self.told: list[tuple[int, str, str]] = []

    def dataset(self, sheet: Sheet) -> Dataset:
        """The sheet's rows, for import_data. Raises SheetError where the columns are not those that are needed."""
        if self.key not in sheet.headers:
            raise SheetError(
                _("There is no column called “%(key)s”. The first row must name the columns: %(columns)s.")
                % {"key": self.key, "columns": ", ".join(self.columns)}
            )
        dataset = Dataset(headers=[*sheet.headers, ROW])
        for number, cells in sheet.rows:
            dataset.append([*cells, number])
        return dataset

    def unused(self, sheet: Sheet) -> list[str]:
        """The sheet's columns that mean nothing here."""
        return [header for header in sheet.headers if header and header not in self.columns]

    # --- django-import-export's hooks

    def before_import(self, dataset: Dataset, **_kwargs: Any) -> None:
        self.load(dataset)

    def before_import_row(self, row: dict[str, Any], **_kwargs: Any) -> None:
        self._rows_done += 1
        if self._rows_done % PROGRESS_EVERY == 0:
            self._on_progress(self._rows_done)
        wrong = {
            name: _("this cell %(trouble)s") % {"trouble": row[name].trouble}
            for name in self.columns
            if name in row and row[name].trouble
        }
        if wrong:
            raise ValidationError(wrong)
        self._understood = self.understand({name: row.get(name, Cell("")) for name in self.columns}, row[ROW])

    def get_or_init_instance(self, _loader: Any, _row: Any) -> tuple[models.Model, bool]:
        assert self._understood is not None
        return self._understood.instance, self._understood.new

    def import_instance(self, instance: models.Model, row: Any, **_kwargs: Any) -> None:
        """Nothing: `understand` has done it."""

    def skip_row(self, *_args: Any, **_kwargs: Any) -> bool:
        return self._understood is not None and not self._understood.changes

    def save_instance(self, *args: Any, **kwargs: Any) -> None:
        if self._understood is not None and self._understood.own:
            super().save_instance(*args, **kwargs)

    def after_import_row(self, row: dict[str, Any], _result: Any, **_kwargs: Any) -> None:
        if self._understood is not None and self._understood.changes and len(self.told) < TOLD:
            self.told.append((row[ROW], self._understood.who, "; ".join(self._understood.changes)))

    def after_import(self, _dataset: Dataset, result: Any, *, dry_run: bool = False, **_kwargs: Any) -> None:
        if not dry_run and not result.has_errors() and not result.has_validation_errors():
            self.write_the_rest()

    # --- what each sheet says for itself

    def load(self, dataset: Dataset) -> None:
        """Take a snapshot of the map."""
        raise NotImplementedError

    def understand(self, row: dict[str, Cell], number: int) -> Understood:
        """What a row means. Raises ValidationError by column."""
        raise NotImplementedError

    def write_the_rest(self) -> None:
        """Write what hangs on the rows' own instances, which are there now."""
        raise NotImplementedError

    def _once(self, what: str, number: int, label: str) -> None:
        first = self._seen.setdefault(what, number)
        if first != number:
            raise Wrong(_("%(label)s stands in row %(row)d already") % {"label": label, "row": first})


class _Columns:
    """Gathers what is wrong in the cells of one row."""

    def __init__(self) -> None:
        self.wrong: dict[str, list[str]] = defaultdict(list)

    def read(self, column: str, reader: Callable[..., Any], *args: Any) -> Any:
        try:
            return reader(*args)
        except Wrong as error:
            self.wrong[column].append(str(error))
            return None

    def check(self) -> None:
        if self.wrong:
            raise ValidationError(dict(self.wrong))


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
        batch_size = BATCH
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
        columns = _Columns()
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
        found = Understood(person, new, str(name or person.name), own=new)
        if new:
            found.changes.append(_("new: %(person)s") % {"person": person})
        elif name and name != person.name:
            found.changes.append(_("name: %(before)s → %(after)s") % {"before": person.name, "after": name})
            person.name, found.own = name, True
        found.changes += self._card_changes(person, cards)
        found.changes += self._level_changes(person, levels)
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
        hint = _("format the column as text and enter it again")
        if "•" in text:
            raise Wrong(_("holds a masked card number; only an export with whole numbers can be imported again"))
        if _SHORTENED.fullmatch(text):
            raise Wrong(_("“%(text)s” was shortened by the spreadsheet; %(hint)s") % {"text": text, "hint": hint})
        if _FRACTION.fullmatch(text):
            raise Wrong(_("“%(text)s” is a number with a fraction; %(hint)s") % {"text": masked(text), "hint": hint})
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
                % {"card": masked(number), "hint": hint}
            )
        if number not in self._cards and numeric and self._zeros_matter:
            raise Wrong(
                _("card %(card)s is in a number cell, which may have lost zeros before it; %(hint)s")
                % {"card": masked(number), "hint": hint}
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

    def _card_changes(self, person: Cardholder, cards: Iterable[tuple[str, CardStatus | None]]) -> list[str]:
        said = []
        for number, status in cards:
            card = self._cards.get(number)
            if card is None:
                card = Card(cardholder=person, number=number, status=status or CardStatus.ACTIVE)
                self._new_cards.append(card)
                said.append(_("card %(card)s added, %(status)s") % {"card": card, "status": card.get_status_display()})
            elif status is not None and status != card.status:
                before = card.get_status_display()
                card.status = status
                self._changed_cards.append(card)
                said.append(
                    _("card %(card)s: %(before)s → %(after)s")
                    % {"card": card, "before": before, "after": card.get_status_display()}
                )
        return said

    def _level_changes(self, person: Cardholder, levels: set[int] | None) -> list[str]:
        if levels is None:
            return []
        names = {level.pk: level.name for level in self._levels.values()}
        present = self._levels_of.get(person.pk, set()) if person.pk else set()
        added, ended = sorted(levels - present), sorted(present - levels)
        self._new_members += [Membership(cardholder=person, access_level_id=level) for level in added]
        self._ended += [(person, level) for level in ended]
        said = [_("joins %(level)s") % {"level": names[level]} for level in added]
        return said + [_("leaves %(level)s") % {"level": names[level]} for level in ended]

    def write_the_rest(self) -> None:
        Card.objects.bulk_create(_with_parents(self._new_cards, "cardholder"), batch_size=BATCH)
        Card.objects.bulk_update(self._changed_cards, ["status"], batch_size=BATCH)
        ended = {(person.pk, level) for person, level in self._ended}
        _delete_pairs(Membership, "cardholder_id", "access_level_id", ended)
        Membership.objects.bulk_create(_with_parents(self._new_members, "cardholder"), batch_size=BATCH)

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


class RoomsSheet(SheetResource):
    """One row a resource: id, name, site, policy, doors."""

    columns = ("id", "name", "site", "policy", "doors")
    key = "id"

    external_id = Field(attribute="external_id", column_name="id")
    name = Field(attribute="name", column_name="name")
    site = Field(column_name="site")
    policy = Field(column_name="policy")
    doors = Field(column_name="doors")

    class Meta:
        model = Resource
        import_id_fields = ("external_id",)
        fields = ("external_id", "name", "site", "policy", "doors")
        use_bulk = True
        batch_size = BATCH
        skip_diff = True
        report_skipped = False

    def get_bulk_update_fields(self) -> list[str]:
        return ["name", "site", "policy"]

    def load(self, dataset: Dataset) -> None:
        resources = Resource.objects.select_related("site", "policy")
        self._resources = {resource.external_id: resource for resource in resources}
        self._sites = {site.name.casefold(): site for site in Site.objects.all()}
        self._policies = {policy.name.casefold(): policy for policy in AccessPolicy.objects.all()}
        self._doors: dict[str, list[Door]] = defaultdict(list)
        self._door_names: dict[int, str] = {}
        for door in Door.objects.select_related("controller"):
            self._doors[door.name.casefold()].append(door)
            self._doors[f"{door.controller.name} / {door.name}".casefold()].append(door)
            self._door_names[door.pk] = door.name
        self._doors_of: dict[int, set[int]] = defaultdict(set)
        for resource_id, door_id in ResourceDoor.objects.values_list("resource_id", "door_id"):
            self._doors_of[resource_id].add(door_id)
        self._new_links: list[ResourceDoor] = []
        self._ended: list[tuple[Resource, int]] = []

    def understand(self, row: dict[str, Cell], number: int) -> Understood:
        columns = _Columns()
        key = columns.read("id", self._id, row["id"], number)
        site = columns.read("site", self._one_of, row["site"], self._sites, _("site"))
        policy = columns.read("policy", self._one_of, row["policy"], self._policies, _("access policy"))
        doors = columns.read("doors", self._named_doors, row["doors"])
        name = str(row["name"])
        if len(name) > 200:
            columns.wrong["name"].append(_("has more than %(n)d characters") % {"n": 200})
        resource = self._resources.get(key or "")
        if resource is None and key:
            if site is None and not row["site"] and len(self._sites) == 1:
                site = next(iter(self._sites.values()))
            for column, value in (("name", name), ("site", site), ("policy", policy)):
                if not value and column not in columns.wrong:
                    columns.wrong[column].append(_("a new resource needs one"))
        columns.check()
        if resource is None:
            resource = Resource(external_id=key, name=name, site=site, policy=policy)
            found = Understood(resource, True, name, [_("new: %(name)s") % {"name": name}], own=True)
        else:
            found = Understood(resource, False, resource.name)
            for attribute, label, value in (
                ("name", _("name"), name),
                ("site", _("site"), site),
                ("policy", _("policy"), policy),
            ):
                before = getattr(resource, attribute)
                if value and value != before:
                    found.changes.append(
                        _("%(what)s: %(before)s → %(after)s") % {"what": label, "before": before, "after": value}
                    )
                    setattr(resource, attribute, value)
                    found.own = True
        found.changes += self._door_changes(resource, doors)
        return found

    def _id(self, cell: Cell, number: int) -> str:
        if not cell:
            raise Wrong(_("there is none; it is the resource's id in Offision"))
        if len(cell) > 200:
            raise Wrong(_("has more than %(n)d characters") % {"n": 200})
        self._once(f"id:{cell}", number, str(cell))
        return str(cell)

    def _one_of(self, cell: Cell, known: dict[str, Any], what: str) -> Any:
        if not cell:
            return None
        if cell.casefold() not in known:
            names = ", ".join(str(one) for one in list(known.values())[:20])
            raise Wrong(
                _("there is no %(what)s “%(name)s”; there are: %(known)s")
                % {"what": what, "name": cell[:100], "known": names or "–"}
            )
        return known[cell.casefold()]

    def _named_doors(self, cell: Cell) -> set[int] | None:
        if not cell:
            return None
        if cell == NOTHING:
            return set()
        found = set()
        for part in re.split(r"[;\n]", cell):
            name = part.strip()
            doors = self._doors.get(name.casefold(), [])
            if name and not doors:
                raise Wrong(_("there is no door “%(name)s”") % {"name": name[:100]})
            if len(doors) > 1:
                raise Wrong(_("several doors are called “%(name)s”; write controller / door") % {"name": name[:100]})
            found.update(door.pk for door in doors)
        return found

    def _door_changes(self, resource: Resource, doors: set[int] | None) -> list[str]:
        if doors is None:
            return []
        present = self._doors_of.get(resource.pk, set()) if resource.pk else set()
        added, ended = sorted(doors - present), sorted(present - doors)
        self._new_links += [ResourceDoor(resource=resource, door_id=door) for door in added]
        self._ended += [(resource, door) for door in ended]
        said = [_("door %(door)s added") % {"door": self._door_names[door]} for door in added]
        return said + [_("door %(door)s no longer leads here") % {"door": self._door_names[door]} for door in ended]

    def write_the_rest(self) -> None:
        ended = {(resource.pk, door) for resource, door in self._ended}
        _delete_pairs(ResourceDoor, "resource_id", "door_id", ended)
        ResourceDoor.objects.bulk_create(_with_parents(self._new_links, "resource"), batch_size=BATCH)

    # --- out

    def dehydrate_external_id(self, resource: Resource) -> str:
        return escaped(resource.external_id)

    def dehydrate_name(self, resource: Resource) -> str:
        return escaped(resource.name)

    def dehydrate_site(self, resource: Resource) -> str:
        return escaped(resource.site.name)

    def dehydrate_policy(self, resource: Resource) -> str:
        return escaped(resource.policy.name)

    def dehydrate_doors(self, resource: Resource) -> str:
        """Its doors; `resource.doors` is prefetched with their controllers."""
        return escaped("; ".join(f"{door.controller.name} / {door.name}" for door in resource.doors.all()))


SHEETS: dict[str, type[SheetResource]] = {MapImport.Kind.PEOPLE: PeopleSheet, MapImport.Kind.RESOURCES: RoomsSheet}


def _with_parents(rows: list[Any], parent: str) -> list[Any]:
    """The rows, whose parents were written after the rows were made, with their parents' keys."""
    for row in rows:
        setattr(row, parent, getattr(row, parent))
    return rows


def _delete_pairs(model: Any, one: str, other: str, pairs: set[tuple[int, int]]) -> None:
    if not pairs:
        return
    rows = model.objects.filter(**{f"{one}__in": {first for first, _second in pairs}}).values_list("pk", one, other)
    model.objects.filter(pk__in=[pk for pk, first, second in rows if (first, second) in pairs]).delete()
