"""Every word for people stands in the Traditional Chinese catalogue, and none has lost a placeholder on the way.

Read from the sources with Babel, so that no gettext tools need be installed.
"""

import gettext
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[2]
FOLDERS = ["accessmap", "doorsync", "portal", "visitors", "templates"]
CATALOGUE = ROOT / "locale/zh_Hant/LC_MESSAGES"
KEYWORDS = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"]),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], (1, 2)),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], ((1, "c"), 2)),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[-+0-9.]*[a-z]|%[sd]|\{\w*\}")


def in_the_sources() -> Iterator[tuple[str, str | None]]:
    """Each message of the code and the templates, with its context."""
    for file in (rendered for folder in FOLDERS for rendered in sorted((ROOT / folder).rglob("*.*"))):
        if file.suffix not in {".py", ".html", ".txt"} or "migrations" in file.parts:
            continue
        text = file.read_text()
        if file.suffix != ".py":
            text = templatize(text, origin=file.name)
        for _line, rendered, _comments, context in extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS):
            yield (rendered if isinstance(rendered, str) else rendered[0]), context


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with (CATALOGUE / "django.po").open("rb") as file:
        return read_po(file, locale="zh_Hant", abort_invalid=True)


def said(message: Message) -> tuple[str, str]:
    """Its English, in the plural where there is one, and its Chinese, which has no plural."""
    english = message.id if isinstance(message.id, str) else message.id[-1]
    chinese = message.string if isinstance(message.string, str) else (message.string or [""])[0]
    return english, chinese


def test_every_word_is_translated(catalogue: Catalog) -> None:
    missing = []
    for english, context in in_the_sources():
        message = catalogue.get(english, context)
        if message is None or message.fuzzy or not said(message)[1]:
            missing.append(english)
    assert not missing, "Run `make messages`, and translate what it adds."


def test_no_placeholder_is_lost_or_made_up(catalogue: Catalog) -> None:
    wrong = [
        english
        for english, chinese in (said(message) for message in catalogue if message.id)
        if sorted(PLACEHOLDER.findall(english)) != sorted(PLACEHOLDER.findall(chinese))
    ]
    assert not wrong


def test_what_is_compiled_is_what_is_written(catalogue: Catalog) -> None:
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in catalogue:
        if message.id:
            english, chinese = said(message)
            first = message.id if isinstance(message.id, str) else message.id[0]
            if message.context:
                rendered = compiled.pgettext(message.context, first)
            elif isinstance(message.id, str):
                rendered = compiled.gettext(first)
            else:
                rendered = compiled.ngettext(first, english, 2)
            assert rendered == chinese, "Run `make messages`."
