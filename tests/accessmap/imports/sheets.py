"""Sheets as people would upload them."""

import io
from typing import Any

from openpyxl import Workbook


def csv_file(*rows: str, encoding: str = "utf-8") -> bytes:
    return "\r\n".join(rows).encode(encoding)


def xlsx_file(*rows: list[Any], formats: dict[str, str] | None = None) -> bytes:
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for place, form in (formats or {}).items():
        sheet[place].number_format = form
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
