"""CSV and XLSX files, read into rows of text. A cell whose text cannot be trusted says why.

Spreadsheets harm card numbers: they drop leading zeros, round after 15 digits, and show 1E+15. Nothing here guesses
what a cell once held.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any

from openpyxl import load_workbook

from accessmap.imports import problems
from portal.core.problems import Problem

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 50
MAX_CELL = 2_000
# An XLSX is a zip: a small file may unpack to more than this machine's memory.
MAX_UNPACKED = 100 * 1024 * 1024
# Empty rows, which a spreadsheet keeps where it keeps a format, are skipped up to this row.
_MAX_ROWS_READ = 100_000
# A spreadsheet keeps this many digits of a number, and makes zeros of the others.
_DIGITS_KEPT = 15
# Characters at the start of a cell that a spreadsheet takes for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class SheetError(Exception):
    """The file can't be read at all; `problem` says what is wrong and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Cell(str):
    """A cell's text. `problem` says why it can't be trusted; `numeric`: it was a number in the spreadsheet."""

    problem: Problem | None
    numeric: bool
    __slots__ = ("numeric", "problem")

    def __new__(cls, text: str, *, problem: Problem | None = None, numeric: bool = False) -> "Cell":
        cell = super().__new__(cls, text)
        cell.problem = problem
        cell.numeric = numeric
        return cell


_BLANK = Cell("")


@dataclass(frozen=True)
class Sheet:
    headers: list[str]
    rows: list[tuple[int, list[Cell]]]  # with the row's number in the spreadsheet

    def __len__(self) -> int:
        return len(self.rows)


def check_size(length: int) -> None:
    """Raises SheetError if a file of so many bytes is too large."""
    if length > MAX_BYTES:
        raise SheetError(problems.TOO_LARGE(n=MAX_BYTES // 1024 // 1024))


def read_sheet(name: str, content: bytes) -> Sheet:
    """Read a CSV or XLSX file. Raises SheetError."""
    check_size(len(content))
    ending = name.lower().rpartition(".")[2]
    if ending == "xlsx":
        return _sheet(_xlsx_rows(content))
    if ending in ("csv", "txt"):
        return _sheet(_csv_rows(content))
    raise SheetError(problems.UNKNOWN_FORMAT())


def escaped(text: str) -> str:
    """A text for an export, with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _sheet(rows: Iterator[list[Cell]]) -> Sheet:
    numbered = _filled(rows)
    first = next(numbered, None)
    if first is None:
        raise SheetError(problems.EMPTY())
    headers = [str(cell).lower() for cell in first[1]]
    while headers and not headers[-1]:
        headers.pop()
    if len(headers) > MAX_COLUMNS:
        raise SheetError(problems.TOO_MANY_COLUMNS(n=MAX_COLUMNS))
    doubled = sorted({header for header in headers if header and headers.count(header) > 1})
    if doubled:
        raise SheetError(problems.SAME_COLUMN_TWICE(name=doubled[0]))
    width = len(headers)
    rows_read = []
    for number, row in numbered:
        rows_read.append((number, [*row[:width], *[_BLANK] * (width - len(row))]))
        if len(rows_read) > MAX_ROWS:
            raise SheetError(problems.TOO_MANY_ROWS(n=MAX_ROWS))
    return Sheet(headers, rows_read)


def _filled(rows: Iterable[list[Cell]]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows that are not blank, with their numbers."""
    for number, row in enumerate(rows, start=1):
        if number > _MAX_ROWS_READ:
            raise SheetError(problems.FAR_ROWS())
        if any(row):
            yield number, row


def _csv_rows(content: bytes) -> Iterator[list[Cell]]:
    text = _decoded(content)
    first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    try:
        # A quote that is never closed takes the rest of the file into one cell; the length of a cell is bounded below.
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield [_text_cell(value) for value in row[: MAX_COLUMNS + 1]]
    except csv.Error as error:
        raise SheetError(problems.NOT_CSV(error=error)) from error


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SheetError(problems.NOT_UTF8(row=line)) from error
    if "\0" in text:
        raise SheetError(problems.NOT_TEXT())
    return text


def _text_cell(value: str) -> Cell:
    text = value.strip()
    if len(text) > MAX_CELL:
        return Cell(text[:40], problem=problems.TOO_LONG(n=MAX_CELL))
    if any(ord(character) < 32 and character not in "\t\r\n" for character in text):
        return Cell(text, problem=problems.UNPRINTABLE())
    if text.startswith("'") and text[1:].startswith(_FORMULA):
        return Cell(text[1:])  # as it was exported
    if text.startswith(("=", "@")) and len(text) > 1:
        return Cell(text[:40], problem=problems.FORMULA())
    return Cell(text)


def _xlsx_rows(content: bytes) -> Iterator[list[Cell]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        unpacked = 0
    if unpacked > MAX_UNPACKED:
        raise SheetError(problems.UNPACKS_TOO_LARGE())
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        # Rows are read as they come: the size that a file declares may be wrong.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=MAX_COLUMNS + 1)
        first = next(rows, ())
    except Exception as error:  # a broken workbook makes the library raise almost anything
        raise SheetError(problems.NOT_XLSX()) from error
    yield from _xlsx_cells(chain([first], rows))
    book.close()


def _xlsx_cells(rows: Iterable[Iterable[Any]]) -> Iterator[list[Cell]]:
    iterator = iter(rows)
    while True:
        try:
            row = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            raise SheetError(problems.DAMAGED_XLSX()) from error
        yield [_xlsx_cell(cell) for cell in row]


def _xlsx_cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return _BLANK
    if cell.data_type == "f":
        return Cell(str(value)[:40], problem=problems.FORMULA())
    if cell.data_type == "e":
        return Cell(str(value)[:40], problem=problems.SPREADSHEET_ERROR())
    if isinstance(value, bool):
        return Cell(str(value), problem=problems.YES_OR_NO())
    if isinstance(value, int | float):
        return _number_cell(value, str(cell.number_format or ""))
    if isinstance(value, date | datetime | time | timedelta):
        return Cell(str(value), problem=problems.DATE())
    return _text_cell(str(value))


def _number_cell(value: int | float, number_format: str) -> Cell:
    """A number, if it is whole and the spreadsheet kept all its digits, with the zeros that its format shows."""
    if isinstance(value, float) and not value.is_integer():
        return Cell(
            str(value),
            problem=problems.FRACTION(),
            numeric=True,
        )
    if abs(value) >= 10**_DIGITS_KEPT:
        return Cell(
            str(value),
            problem=problems.DIGITS_LOST(n=_DIGITS_KEPT, hint=problems.AS_TEXT()),
            numeric=True,
        )
    text = str(int(value))
    padded = bool(re.fullmatch("0+", number_format)) and value >= 0 and len(number_format) > 1
    return Cell(text.zfill(len(number_format)) if padded else text, numeric=not padded)
