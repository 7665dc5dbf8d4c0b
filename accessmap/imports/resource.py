"""What every sheet has in common: rows understood one by one against a snapshot of the map, and written together."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from import_export.resources import ModelResource
from tablib import Dataset

from accessmap.imports.reader import Cell, Sheet, SheetError

# The column in which a row carries its number in the spreadsheet; no header can be called so.
ROW = "\0row"
# What a cell says to have all of something taken away.
NOTHING = "-"
BATCH = 1000
# Rows of which the page tells; the counts tell of all.
TOLD = 200
PROGRESS_EVERY = 200


@dataclass
class Understood:
    """What a row means: whose it is, and what it changes; in words only if somebody will read them."""

    instance: models.Model
    new: bool
    who: str
    told: bool
    changes: int = 0
    words: list[str] = field(default_factory=list)
    # Whether the row's own instance is to be written; else only what hangs on it.
    own: bool = False

    def tell(self, words: Callable[[], str]) -> None:
        """Note a change."""
        self.changes += 1
        if self.told:
            self.words.append(words())


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
        if self._understood is not None and self._understood.words:
            self.told.append((row[ROW], self._understood.who, "; ".join(self._understood.words)))

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

    def _means(self, instance: models.Model, *, new: bool, who: str) -> Understood:
        return Understood(instance, new, who, told=len(self.told) < TOLD, own=new)

    def _once(self, what: str, number: int, label: str) -> None:
        first = self._seen.setdefault(what, number)
        if first != number:
            raise Wrong(_("%(label)s stands in row %(row)d already") % {"label": label, "row": first})


class Columns:
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


def with_parents(rows: list[Any], parent: str) -> list[Any]:
    """The rows, whose parents were written after the rows were made, with their parents' keys."""
    for row in rows:
        setattr(row, parent, getattr(row, parent))
    return rows


def delete_pairs(model: Any, one: str, other: str, pairs: set[tuple[int, int]]) -> None:
    """Delete the rows of a through table whose two keys are among the pairs."""
    if not pairs:
        return
    rows = model.objects.filter(**{f"{one}__in": {first for first, _second in pairs}}).values_list("pk", one, other)
    model.objects.filter(pk__in=[pk for pk, first, second in rows if (first, second) in pairs]).delete()
