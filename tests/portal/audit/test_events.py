"""The registry of audit events, and what an entry needs to be recorded."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse
from django.utils.translation import override

from doorsync import audit_events as doors
from portal import roles
from portal.audit import events
from portal.audit.events import AuditEvent, all_events, audit_event, audited_model, event_of
from portal.audit.models import AuditError, Entry, entry, record, record_alone

ROOT = Path(settings.BASE_DIR)
DOCS = ROOT / "docs/audit.md"
PACKAGES = ("accessmap", "doorsync", "portal", "visitors")


@pytest.mark.django_db
def test_an_undeclared_event_is_refused():
    with pytest.raises(AuditError, match="is declared in no"), transaction.atomic():
        record(actor="ann", action="door.painted", on=None)
    with pytest.raises(AuditError, match="is declared in no"), transaction.atomic():
        Entry.objects.bulk_create([entry(actor="ann", action="door.painted", on=None)])


@pytest.mark.django_db
def test_an_undeclared_parameter_is_refused():
    with (
        pytest.raises(AuditError, match=r"door.locked does not declare the parameters \['why'\]"),
        transaction.atomic(),
    ):
        record(actor="ann", action=doors.DOOR_LOCKED, on=None, detail={"windows": [], "why": "x"})


@pytest.mark.django_db
def test_an_entry_outside_the_transaction_of_its_act_is_refused():
    with pytest.raises(AuditError, match="outside the transaction"):
        record(actor="ann", action=doors.DOOR_LOCKED, on=None)
    with pytest.raises(AuditError, match="outside the transaction"):
        Entry.objects.bulk_create([entry(actor="ann", action=doors.DOOR_LOCKED, on=None)])
    assert not Entry.objects.exists()
    record_alone(actor="ann", action=doors.DOOR_LOCKED, on=None)
    assert Entry.objects.get().action == "door.locked"


@pytest.mark.django_db
def test_production_records_what_is_not_declared_and_says_so_in_its_log(settings, caplog):
    settings.DEMO = False
    record(actor="ann", action="door.painted", on=None, label="Room door", detail={"colour": "red"})
    assert str(Entry.objects.get()) == "ann: door.painted Room door (done)"
    assert "door.painted" in caplog.text
    assert "outside the transaction" in caplog.text


def test_a_code_is_declared_once():
    with pytest.raises(ValueError, match="declared twice"):
        audit_event("door.locked", "…")


def test_an_audited_field_exists():
    with pytest.raises(ValueError, match="to audit"):
        audited_model("accessmap.Door", label="{row}.name", secret=["colour"])


@pytest.mark.parametrize("event", all_events(), ids=lambda event: event.code)
def test_every_event_has_a_sentence_that_its_parameters_complete(event: AuditEvent):
    names = set(re.findall(r"%\((\w+)\)s", str(event.sentence)))
    assert names - {"actor", "object", "kind"} <= event.parameters
    assert event.personal <= event.parameters
    assert event.name.strip("…. ")


def test_every_code_in_the_program_is_declared():
    codes = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("record", "record_alone", "entry"):
                    for keyword in node.keywords:
                        if keyword.arg == "action":
                            codes |= {part.value for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)}
    written_in_full = {code for code in codes if re.fullmatch(r"[a-z_]+\.[a-z_]+", str(code))}
    assert written_in_full
    assert [code for code in written_in_full if event_of(code) is None] == []


@pytest.mark.django_db
def test_staff_read_sentences_in_their_language_and_filter_by_name(client):
    with transaction.atomic():
        record(actor="ann", action=doors.CONTROLLER_SUSPENDED, on=None, label="L10", reasons=["Painted."])
    client.force_login(User.objects.create_superuser("chief"))
    page = client.get(reverse("admin:audit_entry_changelist")).content.decode()
    assert "ann suspended L10." in page
    assert "… suspended …." in page
    assert "Painted." in page
    one = client.get(reverse("admin:audit_entry_change", args=[Entry.objects.get(actor="ann").pk])).content.decode()
    assert "ann suspended L10." in one
    assert "controller.suspend" in one
    kinds = event_of("accessmap.card.added")
    assert kinds is not None
    with override("zh-hant"):
        assert "卡" in kinds.name


@pytest.mark.django_db
def test_a_role_that_an_update_changes_leaves_one_entry():
    roles.install()
    assert not Entry.objects.exists(), "nothing has changed"
    security = Group.objects.get(name=roles.SECURITY)
    added = Permission.objects.get(codename="add_door")
    security.permissions.add(added)
    security.permissions.remove(Permission.objects.get(codename="view_seal"))
    roles.install()
    changed = Entry.objects.get(action="role.changed")
    assert (changed.object_label, changed.detail) == ("Security", {"added": ["view_seal"], "removed": ["add_door"]})


def test_the_page_lists_every_event(capsys):
    with override("en"):
        call_command("audit", "events")
    table = capsys.readouterr().out.strip()
    assert table in DOCS.read_text("utf-8"), "run `manage.py audit events` and put its table into docs/audit.md"
    assert len(table.splitlines()) == len(events.all_events()) + 2
