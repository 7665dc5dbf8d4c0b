"""quality.toml of each driver against the contract suite, and the docs against quality.toml."""

import inspect
from collections import defaultdict
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from doorsync.drivers import quality
from doorsync.drivers.quality import OTHER_PROMISES, Quality, State, qualities
from tests.doorsync.drivers import test_contract
from tests.doorsync.drivers.conftest import PEERS

each_driver = pytest.mark.parametrize("kept", qualities(), ids=lambda kept: kept.driver)


def drivers_by_promise() -> dict[str, set[str]]:
    """By promise: the drivers whose peers its test runs with."""
    drivers: dict[str, set[str]] = defaultdict(set)
    for name, function in inspect.getmembers(test_contract, inspect.isfunction):
        if name.startswith("test_"):
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "parametrize" and mark.args[0] in ("house", "peer"):
                    drivers[name.removeprefix("test_")] |= {peer.driver for peer in mark.args[1]}
    return drivers


def test_every_driver_has_a_peer():
    assert {peer.driver for peer in PEERS} == set(settings.DRIVERS)


@each_driver
def test_a_driver_names_every_promise_and_no_other(kept: Quality):
    assert set(kept.promises) == {*drivers_by_promise(), *OTHER_PROMISES}


@each_driver
def test_a_promise_is_done_where_its_test_runs_and_nowhere_else(kept: Quality):
    done = {name for name, promise in kept.promises.items() if promise.state is State.DONE}
    tested = {name for name, drivers in drivers_by_promise().items() if kept.driver in drivers}
    assert done - set(OTHER_PROMISES) == tested


@pytest.mark.parametrize(
    "promise", ['"perhaps"', '{ state = "exempt", reason = "" }', '{ state = "todo", reason = "" }', '"todo"']
)
def test_a_promise_that_is_not_done_has_a_reason(tmp_path, promise):
    path = tmp_path / "quality.toml"
    fields = ("devices", "page", "cards", "windows", "doors", "events", "tested_against")
    lines = [*(f'{field} = ""' for field in fields), "[promises]", f"real_device = {promise}"]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"perhaps|no reason"):
        quality.load("x", path)


def test_a_file_with_a_missing_field_is_refused(tmp_path):
    path = tmp_path / "quality.toml"
    path.write_text("[promises]\n")
    with pytest.raises(ValueError, match="devices"):
        quality.load("x", path)


@pytest.mark.parametrize("path", quality.documents(), ids=lambda path: path.name + " in " + path.parent.name)
def test_the_docs_are_up_to_date(path: Path):
    assert path.read_text() == quality.documents()[path], "run manage.py driver_table"


def test_the_command_writes_only_documents_that_changed(monkeypatch, tmp_path):
    current, outdated = tmp_path / "a.md", tmp_path / "b.md"
    current.write_text("new")
    outdated.write_text("old")
    monkeypatch.setattr(
        "doorsync.management.commands.driver_table.documents", lambda: {current: "new", outdated: "new"}
    )
    output = StringIO()
    call_command("driver_table", stdout=output)
    assert output.getvalue().split() == [str(outdated)]
    assert outdated.read_text() == "new"


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="needs"):
        quality._with_table("no marks", "| table |")
