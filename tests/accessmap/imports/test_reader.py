"""Files as they come: read into text, or refused in a sentence."""

import io
import zipfile
from datetime import date

import pytest

from accessmap.imports.reader import MAX_ROWS, SheetError, escaped, read_sheet
from tests.accessmap.imports.sheets import csv_file, xlsx_file


def texts(name, content):
    return [(number, [str(cell) for cell in cells]) for number, cells in read_sheet(name, content).rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_as_spreadsheets_write_it(delimiter, encoding):
    content = csv_file(f"Email{delimiter}Name", f"a@b.example{delimiter}黃美玲", "", encoding=encoding)
    sheet = read_sheet("people.CSV", content)
    assert sheet.headers == ["email", "name"]
    assert texts("people.CSV", content) == [(2, ["a@b.example", "黃美玲"])]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "email,name\nok@x.example,Ok\nb@x.example,黃".encode("big5"), "Row 3 is not in UTF-8"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"email,name\n\x00\x01", "This is no text"),
        ("a.csv", b"email,email\n", "Two columns are called"),
        ("a.csv", b"email\n" + b"x\n" * (MAX_ROWS + 1), "more than 20000 rows"),
        ("a.csv", b"x" * (5 * 1024 * 1024 + 1), "more than 5 MiB"),
        ("a.csv", b'email\n"' + b"x" * 200_000, "can't be read as CSV"),
        ("a.xlsx", b"PK\x03\x04 nonsense", "can't be read as .xlsx"),
        ("a.xlsx", b"email,name", "can't be read as .xlsx"),
        ("a.xls", b"x", "no .csv and no .xlsx"),
    ],
)
def test_an_unreadable_file_is_refused(name, content, message):
    with pytest.raises(SheetError, match=message):
        read_sheet(name, content)


def test_a_small_file_that_unpacks_to_more_than_the_limit_is_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"x" * (101 * 1024 * 1024))
    with pytest.raises(SheetError, match="unpacks to far more"):
        read_sheet("a.xlsx", out.getvalue())


@pytest.mark.parametrize(
    ("value", "form", "text", "problem"),
    [
        ("001001", None, "001001", ""),
        (1001, None, "1001", ""),
        (1001.0, None, "1001", ""),
        (1001, "00000000", "00001001", ""),
        (1001.5, None, "1001.5", "fraction"),
        (1234567890123456789, None, None, "more than 15 digits"),
        (1e15, None, None, "more than 15 digits"),
        ("=1+1", None, "=1+1", "formula"),
        (True, None, "True", "yes or no"),
        (date(2026, 3, 10), None, None, "date"),
        ("#N/A", None, "#N/A", "error of the spreadsheet"),
    ],
)
def test_a_cell_is_text_or_has_a_problem(value, form, text, problem):
    content = xlsx_file(["cards"], [value], formats={"A2": form} if form else None)
    [(number, [cell])] = read_sheet("a.xlsx", content).rows
    assert number == 2
    assert text is None or cell == text
    assert problem in str(cell.problem)
    assert bool(cell.problem) == bool(problem)


def test_only_a_number_that_may_have_lost_zeros_is_numeric():
    content = xlsx_file(["a", "b", "c"], ["1001", 1001, 1001], formats={"C2": "000000"})
    [(_number, cells)] = read_sheet("a.xlsx", content).rows
    assert [cell.numeric for cell in cells] == [False, True, False]


def test_blank_rows_are_skipped_and_rows_keep_their_numbers():
    content = xlsx_file(["email"], [None], ["a@b.example"], [None], ["c@d.example"])
    assert [number for number, _cells in texts("a.xlsx", content)] == [3, 5]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1"])
def test_texts_like_formulas_are_escaped_in_exports_and_unescaped_in_imports(text):
    assert escaped(text) == "'" + text
    [(_number, [cell, _rest])] = read_sheet("a.csv", csv_file("name,x", f'"{escaped(text)}",1')).rows
    assert cell == text
    assert not cell.problem


def test_a_formula_in_csv_is_a_problem():
    [(_number, [cell, _rest])] = read_sheet("a.csv", csv_file("name,x", '"=HYPERLINK(1)",1')).rows
    assert "formula" in str(cell.problem)
