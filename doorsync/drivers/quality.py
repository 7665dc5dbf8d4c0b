"""The promises that each driver keeps: the file quality.toml of its package, and the tables of the docs made from it.

A promise is a test of the contract suite (tests/doorsync/drivers/test_contract.py), or one of OTHER_PROMISES. It is
done, to do, or exempt; the latter two have a reason.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

# Promises that the contract suite can't test.
OTHER_PROMISES = ("independent_peer", "real_device")

_BEGIN, _END = "<!-- drivers: begin (manage.py driver_table) -->", "<!-- drivers: end -->"


class State(StrEnum):
    DONE = "done"
    TODO = "todo"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a promise is kept. `reason`: why it is not done."""

    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The content of one quality.toml. All texts are Markdown, for the docs."""

    driver: str  # its name in settings.DRIVERS
    devices: str
    page: str  # in docs/controllers; "" without one
    cards: str
    windows: str
    doors: str
    events: str
    tested_against: str
    promises: Mapping[str, Kept]


def qualities() -> list[Quality]:
    """One for each driver of the settings. Raises ValueError for a file that is not complete."""
    return [load(name, _package(path) / "quality.toml") for name, path in settings.DRIVERS.items()]


def load(driver: str, path: Path) -> Quality:
    """Raises ValueError for a promise that is neither done nor has a reason, and for missing or unknown fields."""
    content = tomllib.loads(path.read_text())
    promises = {name: _kept(name, value) for name, value in content.pop("promises").items()}
    try:
        return Quality(driver=driver, promises=promises, **content)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def _kept(name: str, value: str | Mapping[str, str]) -> Kept:
    kept = Kept(State(value)) if isinstance(value, str) else Kept(State(value["state"]), value["reason"])
    if kept.state is not State.DONE and not kept.reason:
        raise ValueError(f"The promise {name} is not done, and has no reason.")
    return kept


def _package(driver_path: str) -> Path:
    spec = find_spec(driver_path.rpartition(".")[0])
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


# Tables of the docs -----------------------------------------------------------------------------------------------


def documents() -> dict[Path, str]:
    """The documents with a table of drivers, and their content with the current table."""
    root = Path(settings.BASE_DIR)
    tables = {root / "docs/controllers/README.md": _long_table(), root / "README.md": _short_table()}
    return {path: _with_table(path.read_text(), table) for path, table in tables.items()}


def _with_table(text: str, table: str) -> str:
    """Raises ValueError where the document has no marks for the table."""
    replaced, count = re.subn(
        f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", lambda _match: f"{_BEGIN}\n{table}\n{_END}", text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"The document needs {_BEGIN} and {_END} once.")
    return replaced


def _long_table() -> str:
    head = [
        "driver", "devices", "cards", "time windows", "unlock for a moment, hold", "events", "tested against",
        "contract suite", "real device",
    ]  # fmt: skip
    rows = []
    for quality in qualities():
        link = f"[`{quality.driver}`]({quality.page})" if quality.page else f"`{quality.driver}`"
        contract = [kept.state for name, kept in quality.promises.items() if name not in OTHER_PROMISES]
        tally = f"{contract.count(State.DONE)} of {len(contract) - contract.count(State.EXEMPT)}"
        rows.append(
            [
                link,
                quality.devices,
                quality.cards,
                quality.windows,
                quality.doors,
                quality.events,
                quality.tested_against,
                tally,
                _REAL_DEVICE[quality.promises["real_device"].state],
            ]
        )
    return _table(head, rows)


def _short_table() -> str:
    rows = [[f"`{q.driver}`", q.devices, q.windows, q.tested_against] for q in qualities()]
    return _table(["driver", "devices", "time windows", "tested against"], rows)


_REAL_DEVICE = {State.DONE: "yes", State.TODO: "**not yet**", State.EXEMPT: "–"}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])
