"""Sheets as people have them: CSV and XLSX, read into rows of text, with what can't be trusted marked in each cell.

Spreadsheets harm card numbers: they drop leading zeros, round after 15 digits, and show 1E+15. Nothing here guesses
what a cell may once have been.
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

from django.utils.translation import gettext as _
from openpyxl import load_workbook

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 50
MAX_CELL = 2_000
# An XLSX is a zip: a small file may unpack to more than this machine has.
MAX_UNPACKED = 100 * 1024 * 1024
# Formatted but empty rows below the data are passed over, to here.
_MAX_ROWS_LOOKED_AT = 100_000
# A spreadsheet keeps so many digits of a number, and makes the others zeros.
_DIGITS_KEPT = 15
# Characters at the start of a cell that a spreadsheet takes for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class SheetError(Exception):
    """The file can't be read at all; its text says what is wrong and what to do."""


class Cell(str):
    """A cell's text. `trouble` says why it can't be trusted; `numeric`: it was a number in the spreadsheet."""

    trouble: str
    numeric: bool
    __slots__ = ("numeric", "trouble")

    def __new__(cls, text: str, *, trouble: str = "", numeric: bool = False) -> "Cell":
        cell = super().__new__(cls, text)
        cell.trouble = trouble
        cell.numeric = numeric
        return cell


_BLANK = Cell("")


@dataclass(frozen=True)
class Sheet:
    headers: list[str]
    rows: list[tuple[int, list[Cell]]]  # with the row's number in the spreadsheet

    def __len__(self) -> int:
        return len(self.rows)


def read_sheet(name: str, content: bytes) -> Sheet:
    """Read a CSV or XLSX file. Raises SheetError."""
    if len(content) > MAX_BYTES:
        raise SheetError(
            _("The file has more than %(n)d MiB. Split it into several and import one after the other.")
            % {"n": MAX_BYTES // 1024 // 1024}
        )
    ending = name.lower().rpartition(".")[2]
    if ending == "xlsx":
        return _sheet(_xlsx_rows(content))
    if ending in ("csv", "txt"):
        return _sheet(_csv_rows(content))
    raise SheetError(_("This is no .csv and no .xlsx file. In the spreadsheet, save it as one of these."))


def escaped(text: str) -> str:
    """A text as it is exported: what a spreadsheet would take for a formula has an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _sheet(rows: Iterator[list[Cell]]) -> Sheet:
    numbered = _filled(rows)
    first = next(numbered, None)
    if first is None:
        raise SheetError(_("The file is empty. Its first row must have the names of the columns."))
    headers = [str(cell).lower() for cell in first[1]]
    while headers and not headers[-1]:
        headers.pop()
    if len(headers) > MAX_COLUMNS:
        raise SheetError(_("The file has more than %(n)d columns.") % {"n": MAX_COLUMNS})
    doubled = sorted({header for header in headers if header and headers.count(header) > 1})
    if doubled:
        raise SheetError(_("Two columns are called “%(name)s”. Leave one of them out.") % {"name": doubled[0]})
    width = len(headers)
    found = []
    for number, row in numbered:
        cells = [*row[:width], *[_BLANK] * (width - len(row))]
        found.append((number, cells))
        if len(found) > MAX_ROWS:
            raise SheetError(
                _("The file has more than %(n)d rows. Split it into several and import one after the other.")
                % {"n": MAX_ROWS}
            )
    return Sheet(headers, found)


def _filled(rows: Iterable[list[Cell]]) -> Iterator[tuple[int, list[Cell]]]:
    """The rows that are not blank, with their numbers."""
    for number, row in enumerate(rows, start=1):
        if number > _MAX_ROWS_LOOKED_AT:
            raise SheetError(_("There are empty rows far below the list. Delete them, or copy the list to a new file."))
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
        raise SheetError(
            _("This can't be read as CSV (%(error)s). Export it again, or save it as .xlsx.") % {"error": error}
        ) from error


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SheetError(
            _("Row %(row)d is not in UTF-8. In the spreadsheet, choose “Save as” → “CSV UTF-8”, or save as .xlsx.")
            % {"row": line}
        ) from error
    if "\0" in text:
        raise SheetError(_("This is no text. In the spreadsheet, save it as “CSV UTF-8” or .xlsx."))
    return text


def _text_cell(value: str) -> Cell:
    text = value.strip()
    if len(text) > MAX_CELL:
        return Cell(text[:40], trouble=_("has more than %(n)d characters") % {"n": MAX_CELL})
    if any(ord(character) < 32 and character not in "\t\r\n" for character in text):
        return Cell(text, trouble=_("has characters that can't be shown"))
    if text.startswith("'") and text[1:].startswith(_FORMULA):
        return Cell(text[1:])  # as it was exported
    if text.startswith(("=", "@")) and len(text) > 1:
        return Cell(text[:40], trouble=_("holds a formula; copy the column and paste it as values"))
    return Cell(text)


def _xlsx_rows(content: bytes) -> Iterator[list[Cell]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        unpacked = 0
    if unpacked > MAX_UNPACKED:
        raise SheetError(_("The file unpacks to far more than a list of people would. Save it anew."))
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        # Rows are read as they come: what a file says of its own size is not believed.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=MAX_COLUMNS + 1)
        first = next(rows, ())
    except Exception as error:  # a broken workbook breaks the library in ways without number
        raise SheetError(
            _("This can't be read as .xlsx. Open it in the spreadsheet and save it anew; no password may protect it.")
        ) from error
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
            raise SheetError(_("This .xlsx is damaged. Open it in the spreadsheet and save it anew.")) from error
        yield [_xlsx_cell(cell) for cell in row]


def _xlsx_cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return _BLANK
    if cell.data_type == "f":
        return Cell(str(value)[:40], trouble=_("holds a formula; copy the column and paste it as values"))
    if cell.data_type == "e":
        return Cell(str(value)[:40], trouble=_("holds an error of the spreadsheet's"))
    if isinstance(value, bool):
        return Cell(str(value), trouble=_("holds yes or no, not text"))
    if isinstance(value, int | float):
        return _number_cell(value, str(cell.number_format or ""))
    if isinstance(value, date | datetime | time | timedelta):
        return Cell(
            str(value), trouble=_("was made a date by the spreadsheet; format the column as text and enter it again")
        )
    return _text_cell(str(value))


def _number_cell(value: int | float, number_format: str) -> Cell:
    """A number, if it is whole and the spreadsheet kept all its digits; zeros that its format shows are there."""
    if isinstance(value, float) and not value.is_integer():
        return Cell(
            str(value),
            trouble=_("holds a number with a fraction; format the column as text and enter it again"),
            numeric=True,
        )
    if abs(value) >= 10**_DIGITS_KEPT:
        return Cell(
            str(value),
            trouble=_("holds a number of more than %(n)d digits, of which the spreadsheet has lost the last ones; ")
            % {"n": _DIGITS_KEPT}
            + _("format the column as text and enter it again"),
            numeric=True,
        )
    text = str(int(value))
    padded = bool(re.fullmatch("0+", number_format)) and value >= 0 and len(number_format) > 1
    return Cell(text.zfill(len(number_format)) if padded else text, numeric=not padded)
