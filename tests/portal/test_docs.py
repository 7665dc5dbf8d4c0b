"""The documentation names what exists: every link, path and module in it, and every package in the code map."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from portal.audit import events

ROOT = Path(settings.BASE_DIR)
ROOTS = ("accessmap", "doorsync", "portal", "visitors")
FOLDERS = (*ROOTS, "docker", "docs", "locale", "requirements", "templates", "tests")
# The changelog names what was there then.
DOCUMENTS = sorted(p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if p.name != "CHANGELOG.md")
# Django and Celery find these by their names; they hold no code that a reader looks for.
NO_PACKAGES = {"migrations", "management", "commands", "templatetags", "formats", "en", "zh_Hant"}


def links(text: str) -> Iterator[str]:
    """The relative targets of links and pictures, without their anchors."""
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        path = "".join(target).partition("#")[0]
        if path and "://" not in path:
            yield path


def is_there(name: str) -> bool:
    """Whether a path of the repository, or a dotted name in it, exists. `*` and `<name>` stand for anything."""
    if "/" in name:
        return any(ROOT.glob(re.sub(r"<\w+>", "*", name)))
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.is_dir():
            return length == len(parts) or f" {parts[length]}" in (path / "__init__.py").read_text()
        if path.with_suffix(".py").is_file():
            return length == len(parts) or f" {parts[length]}" in path.with_suffix(".py").read_text()
    return False


def names(text: str) -> Iterator[str]:
    """The paths and dotted names of this repository in code spans, without the codes of audit events."""
    for span in re.findall(r"`([^`\n]+)`", text):
        shape = rf"(?:{'|'.join(FOLDERS)})/[\w./*<>-]*|(?:{'|'.join(ROOTS)})(?:\.\w+)+"
        if re.fullmatch(shape, span) and events.event_of(span) is None:
            yield span


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_paths_and_modules_in_the_documentation_exist(document):
    text = document.read_text()
    assert [link for link in links(text) if not (document.parent / link).exists()] == []
    assert [name for name in names(text) if not is_there(name)] == []


def test_the_code_map_names_every_package_and_no_other():
    packages = {
        f"{folder.relative_to(ROOT)}/"
        for root in ROOTS
        for folder in (path.parent for path in (ROOT / root).rglob("__init__.py"))
        if not NO_PACKAGES & set(folder.relative_to(ROOT).parts)
    }
    table = (ROOT / "docs" / "code-map.md").read_text().partition("## Packages")[2].partition("\n## ")[0]
    named = re.findall(rf"`((?:{'|'.join(ROOTS)})/[\w/]*)`", table)
    assert sorted(named) == sorted(packages)
