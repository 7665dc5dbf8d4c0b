"""What both sheets have in common: rows are compared with a snapshot of the map, and written together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tablib import Dataset

from accessmap.imports import problems
from accessmap.imports.reader import Cell, Sheet, SheetError, escaped
from portal.core.problems import Problem

# The cell that takes all access levels from a person, or all doors from a resource.
NOTHING = "-"
BATCH = 1000
PROGRESS_EVERY = 200
MAX_NAME = 200
# How many names an error lists of those that exist.
NAMES_LISTED = 20


class CellError(Exception):
    """A cell cannot be used; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass
class Row:
    """A row of a sheet, what is wrong with it by column, and what it changes."""

    number: int
    cells: dict[str, Cell]
    errors: list[tuple[str, Problem]] = field(default_factory=list)
    subject: str = ""
    created: bool = False
    changes: list[Problem] = field(default_factory=list)

    def __getitem__(self, column: str) -> Cell:
        return self.cells.get(column, Cell(""))

    def refuse(self, column: str, problem: Problem) -> None:
        self.errors.append((column, problem))

    def read(self, column: str, reader: Callable[..., Any], *args: Any) -> Any:
        """What `reader` returns; None if it raises CellError, which refuses the row."""
        try:
            return reader(*args)
        except CellError as error:
            self.refuse(column, error.problem)
            return None


class MapSheet(ABC):
    """A sheet of one kind, compared with the map as it was when the sheet was read."""

    columns: ClassVar[tuple[str, ...]]
    # The column that names the row's person or resource.
    key: ClassVar[str]

    def __init__(self, sheet: Sheet) -> None:
        """Raises SheetError for a sheet without the key column."""
        if self.key not in sheet.headers:
            raise SheetError(problems.NO_KEY_COLUMN(key=self.key, columns=", ".join(self.columns)))
        self.sheet = sheet
        self.rows: list[Row] = []
        self._named_in: dict[str, int] = {}

    def read(self, on_progress: Callable[[int], None]) -> None:
        """Compare every row with the map. Nothing is written."""
        self.load_map()
        for number, cells in self.sheet.rows:
            row = Row(number, dict(zip(self.sheet.headers, cells, strict=True)))
            self.rows.append(row)
            for column in self.columns:
                if problem := row[column].problem:
                    row.refuse(column, problems.UNUSABLE(problem=problem))
            if not row.errors:
                self.read_row(row)
            if len(self.rows) % PROGRESS_EVERY == 0:
                on_progress(len(self.rows))

    @property
    def errors(self) -> list[tuple[int, str, Problem]]:
        """Row number, column and problem of every error."""
        return [(row.number, column, problem) for row in self.rows for column, problem in row.errors]

    @property
    def unused_columns(self) -> list[str]:
        return [header for header in self.sheet.headers if header and header not in self.columns]

    @classmethod
    def export(cls, instances: Iterable[Any], *, whole_numbers: bool) -> Dataset:
        """A sheet of these rows of the map. Imported again, it changes nothing, if its card numbers are whole."""
        rows = (cls.export_row(instance, whole_numbers=whole_numbers) for instance in instances)
        return Dataset(*([escaped(text) for text in row] for row in rows), headers=cls.columns)

    @abstractmethod
    def load_map(self) -> None:
        """Take a snapshot of the map."""

    @abstractmethod
    def read_row(self, row: Row) -> None:
        """Note in `row` what is wrong with it, or what it changes."""

    @abstractmethod
    def write(self, *, actor: str) -> None:
        """Write what all rows change. Call it in a transaction, after `read` and without errors."""

    @classmethod
    @abstractmethod
    def export_row(cls, instance: Any, *, whole_numbers: bool) -> list[str]:
        """The texts of a row of the map, in the order of `columns`."""

    def named_before(self, key: str, row: Row) -> int | None:
        """The number of an earlier row that names the same key."""
        first = self._named_in.setdefault(key, row.number)
        return first if first != row.number else None


def name_of(cell: Cell) -> str:
    if len(cell) > MAX_NAME:
        raise CellError(problems.TOO_LONG(n=MAX_NAME))
    return str(cell)


def listed(names: Iterable[Any]) -> str:
    """The names that exist, for an error."""
    return ", ".join(str(name) for name in list(names)[:NAMES_LISTED]) or "–"


def with_parents(rows: list[Any], parent: str) -> list[Any]:
    """The rows, with the keys of parents that were saved after the rows were made."""
    for row in rows:
        setattr(row, parent, getattr(row, parent))
    return rows


def delete_pairs(model: Any, one: str, other: str, pairs: set[tuple[int, int]]) -> None:
    """Delete the rows of a through table whose two keys are among the pairs."""
    if not pairs:
        return
    rows = model.objects.filter(**{f"{one}__in": {first for first, _second in pairs}}).values_list("pk", one, other)
    model.objects.filter(pk__in=[pk for pk, first, second in rows if (first, second) in pairs]).delete()
