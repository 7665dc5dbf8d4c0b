"""Sheets into the map: checked, imported, undone."""

import pghistory
import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import translation

from accessmap.imports import service
from accessmap.imports.reader import read_sheet
from accessmap.imports.sheet import PROGRESS_EVERY
from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    MapChange,
    MapImport,
    Membership,
    Resource,
    Site,
)
from accessmap.services import cards
from portal import roles
from portal.audit.models import Entry
from tests.accessmap.imports.sheets import csv_file, xlsx_file

pytestmark = pytest.mark.django_db
HEAD = "email,name,cards,access levels"


@pytest.fixture(autouse=True)
def woken(monkeypatch):
    """The imports that a worker was woken for: these tests do the work themselves."""
    keys: list[int] = []
    monkeypatch.setattr(service, "send_task", lambda _name, pk: keys.append(pk))
    return keys


@pytest.fixture
def ann():
    user = User.objects.create_user("ann", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.FACILITY_STAFF))
    return user


@pytest.fixture
def people():
    facilities = AccessLevel.objects.create(name="Facilities")
    AccessLevel.objects.create(name="IT")
    mei = Cardholder.objects.create(name="Mei", email="Mei@pier.example")
    Card.objects.create(cardholder=mei, number="1001")
    Membership.objects.create(cardholder=mei, access_level=facilities)
    tom = Cardholder.objects.create(name="Tom", email="tom@pier.example")
    Card.objects.create(cardholder=tom, number="1002", status="lost")
    fay = Cardholder.objects.create(name="Fay")
    Card.objects.create(cardholder=fay, number="1003")


def checked(user, content, name="people.csv", kind="people"):
    row = service.upload(kind=kind, name=name, content=content, user=user)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    return row


def carried_out(user, content, **more):
    row = checked(user, content, **more)
    assert row.state == "checked", row.notes
    assert not row.errors, row.error_rows
    service.carry_out(row.pk, user=user)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert row.state == "imported", row.notes
    return row


def undone(user, row):
    service.undo(row.pk, user=user)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert row.state == "undone", row.notes
    return row


def the_map():
    return {
        (person.name, person.email): (
            sorted((card.number, card.status) for card in person.cards.all()),
            sorted(level.name for level in person.access_levels.all()),
        )
        for person in Cardholder.objects.all()
    }


def test_a_sheet_is_checked_first_and_changes_nothing(ann, people):
    before, changes = the_map(), MapChange.objects.count()
    row = checked(
        ann,
        csv_file(
            HEAD,
            "MEI@pier.example,Mei Ling,1001; 2001,IT",
            "tom@pier.example,,,",
            "new@pier.example,New,2002 (returned),",
            ",Fay,1003,Facilities",
        ),
    )
    assert (row.state, row.created, row.changed, row.unchanged, row.errors) == ("checked", 1, 2, 1, 0)
    changes_shown = [(number, who, "; ".join(map(str, changes))) for number, who, changes in row.row_changes]
    assert changes_shown == [
        (2, "Mei Ling", "name: Mei → Mei Ling; card •••• added, active; joins IT; leaves Facilities"),
        (4, "New", "new: New <new@pier.example>; card •••• added, returned"),
        (5, "Fay", "joins Facilities"),
    ]
    assert the_map() == before
    assert MapChange.objects.count() == changes


def test_a_checked_sheet_is_imported_in_one_transaction_and_one_context_of_history(ann, people):
    row = carried_out(ann, csv_file(HEAD, "mei@pier.example,Mei Ling,2001,-", "new@pier.example,New,2002 (lost),IT"))
    assert the_map()["Mei Ling", "Mei@pier.example"] == ([("1001", "active"), ("2001", "active")], [])
    assert the_map()["New", "new@pier.example"] == ([("2002", "lost")], ["IT"])
    assert bytes(row.content) == b"", "whole card numbers are not kept"
    assert {event.pgh_context_id for event in Card.pgh_event_model.objects.filter(number__startswith="2")} == {
        row.context
    }
    entry = Entry.objects.get(action="map.import")
    assert (entry.actor, entry.detail["created"], entry.detail["changed"]) == ("ann", 1, 1)


def test_an_export_that_is_imported_again_changes_nothing(ann, people, client):
    Cardholder.objects.create(name="=cmd", email="+plus@pier.example")
    client.force_login(ann)
    for ending in ("csv", "xlsx"):
        answer = client.get(reverse("admin:accessmap_cardholder_sheet", args=[ending]))
        row = checked(ann, answer.content, name=f"people.{ending}")
        assert not row.change_rows
        assert row.unchanged == 4, row.error_rows


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("nonsense,X,,", "email", "“nonsense” is no email address"),
        (",X,,", "email", "no email and no card"),
        ("x@pier.example,,,", "name", "somebody new needs a name"),
        ("tom@pier.example,,1001,", "cards", "is held by Mei"),
        ("tom@pier.example,,1001.0,", "cards", "fraction"),
        ("tom@pier.example,,1.00E+15,", "cards", "was shortened by the spreadsheet"),
        ("tom@pier.example,,10 01,", "cards", "is no card number"),
        ("tom@pier.example,,••••1002,", "cards", "masked"),
        ("tom@pier.example,,1002 (stolen),", "cards", "“stolen” is no status"),
        ("tom@pier.example,,1002; 1002,", "cards", "names a card twice"),
        ("tom@pier.example,,,Kitchen", "access levels", "there are: Facilities, IT"),
        ("tom@pier.example,=A1,,", "name", "holds a formula"),
        (",X,1001,", "email", "the card's holder, Mei, has one"),
        ("dup@pier.example,A,,\r\nDUP@pier.example,B,,", "email", "row 2 names DUP@pier.example already"),
        ("a@pier.example,A,77,\r\nb@pier.example,B,77,", "cards", "row 2 names card •••• already"),
    ],
)
def test_a_wrong_row_has_an_error_by_row_and_column_and_nothing_is_imported(ann, people, line, column, message):
    before = the_map()
    row = checked(ann, csv_file(HEAD, line, "good@pier.example,Good,,"))
    [(number, where, problem)] = row.row_errors
    assert (number, where) == (3 if "\r\n" in line else 2, column)
    assert message in str(problem)
    with pytest.raises(service.NotNow):
        service.carry_out(row.pk, user=ann)
    assert the_map() == before


def test_no_error_shows_a_whole_card_number(ann, people):
    Card.objects.create(cardholder=Cardholder.objects.get(name="Tom"), number="10058400")
    row = checked(ann, csv_file(HEAD, "mei@pier.example,,10058400,", "fay@pier.example,Fay,10058400.0 x,"))
    assert row.errors == 2
    assert "10058400" not in str(row.row_errors)


def test_a_number_cell_is_accepted_only_if_it_cannot_have_lost_zeros(ann, people):
    head = HEAD.split(",")
    row = checked(ann, xlsx_file(head, ["tom@pier.example", None, 2001, None]), name="a.xlsx")
    assert (row.errors, row.changed) == (0, 1)
    Card.objects.create(cardholder=Cardholder.objects.get(name="Tom"), number="0005")
    for cell, message in (
        (2001, "may have lost zeros"),
        (5, "known with other zeros"),
        ("5", "known with other zeros"),
    ):
        row = checked(ann, xlsx_file(head, ["tom@pier.example", None, cell, None]), name="a.xlsx")
        assert message in str(row.row_errors[0][2])
    row = checked(ann, xlsx_file(head, ["tom@pier.example", None, 1002, None]), name="a.xlsx")
    assert not row.errors, "a card that is known is known"
    row = checked(ann, xlsx_file(head, ["tom@pier.example", None, 5, None], formats={"C2": "0000"}), name="a.xlsx")
    assert (row.errors, row.unchanged) == (0, 1), "zeros that the format shows are there"


def test_a_number_without_a_status_reactivates_no_card_and_a_blank_cell_removes_nothing(ann, people):
    row = checked(ann, csv_file(HEAD, "tom@pier.example,Tom,1002,", "mei@pier.example,,,"))
    assert (row.unchanged, row.changed) == (2, 0)
    carried_out(ann, csv_file(HEAD, "tom@pier.example,Tom,1002 (active),"))
    assert Card.objects.get(number="1002").status == "active"


def test_a_sheet_needs_its_key_column_and_may_have_others(ann, people):
    row = checked(ann, csv_file("name,cards", "Mei,1001"))
    assert row.state == "failed"
    assert "no column called “email”" in str(row.notes)
    row = checked(ann, csv_file("email,department", "mei@pier.example,Sales"))
    assert "not used: department" in str(row.notes)


def test_an_import_is_refused_if_the_map_has_changed_since_its_check(ann, people):
    row = checked(ann, csv_file(HEAD, "tom@pier.example,,3001,"))
    Card.objects.create(cardholder=Cardholder.objects.get(name="Mei"), number="3001")
    service.carry_out(row.pk, user=ann)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert (row.state, row.errors) == ("checked", 1)
    assert "has changed since" in str(row.notes)
    assert Card.objects.get(number="3001").cardholder.name == "Mei"


def test_an_import_that_fails_half_way_writes_nothing(ann, people, monkeypatch):
    before = the_map()
    row = checked(ann, csv_file(HEAD, "mei@pier.example,Mei Ling,3001,IT"))
    monkeypatch.setattr(Membership.objects, "bulk_create", lambda *a, **k: 1 / 0)
    service.carry_out(row.pk, user=ann)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert row.state == "checked", "it can be tried again"
    assert "nothing was changed" in str(row.notes)
    assert the_map() == before


def test_an_import_is_undone_as_a_whole(ann, people):
    before = the_map()
    row = carried_out(
        ann,
        csv_file(
            HEAD,
            "mei@pier.example,Mei Ling,1001 (lost); 2001,IT",
            "tom@pier.example,,1002 (returned),Facilities",
            "new@pier.example,New,2002,IT",
        ),
    )
    assert the_map() != before
    row = undone(ann, row)
    assert the_map() == before
    assert str(row.notes) == "10 changes were taken back."
    assert Entry.objects.get(action="map.import_undone").detail == {"restored": 10, "left": 0}


@pytest.mark.django_db(transaction=True)  # what is done later must be another transaction, as it is in life
def test_undoing_keeps_rows_that_were_changed_since_and_names_them(ann, people):
    row = carried_out(
        ann,
        csv_file(
            HEAD,
            "mei@pier.example,Mei Ling,1001 (returned),",
            "new@pier.example,New,2002,",
            "other@pier.example,Other,2003,",
        ),
    )
    Cardholder.objects.filter(name="Mei Ling").update(name="Mei Ling Wong")
    Card.objects.create(cardholder=Cardholder.objects.get(name="New"), number="9009")
    cards.report_lost([Card.objects.get(number="2003").pk], actor="ann")
    row = undone(ann, row)
    now = the_map()
    assert now["Mei Ling Wong", "Mei@pier.example"][0] == [("1001", "active")], "the card is as it was"
    assert now["New", "new@pier.example"][0] == [("9009", "active")], "a card given by hand keeps its holder"
    assert now["Other", "other@pier.example"][0] == [("2003", "lost")], "a lost card stays lost"
    assert "cardholder Mei Ling Wong <Mei@pier.example>: changed since, and stays as it is." in str(row.notes)
    assert "cardholder New <new@pier.example>: other rows belong to it by now; it stays." in str(row.notes)
    assert len(row.notes) == 5


@pytest.fixture
def rooms():
    site = Site.objects.create(name="Pier", time_zone="Asia/Hong_Kong")
    policy = AccessPolicy.objects.create(name="Staff")
    AccessPolicy.objects.create(name="Board")
    for name in ("box", "old"):
        box = Controller.objects.create(site=site, name=name, driver="simulated")
        Door.objects.create(controller=box, number=1, name="Door")
        Door.objects.create(controller=box, number=2, name=f"Side {name}")
    room = Resource.objects.create(site=site, external_id="r1", name="Room", policy=policy)
    room.doors.add(Door.objects.get(name="Side box"))


def test_resources_are_imported_with_their_doors_and_undone(ann, rooms, client):
    def state():
        return {
            r.external_id: (r.name, r.policy.name, sorted(f"{d.controller.name}/{d.name}" for d in r.doors.all()))
            for r in Resource.objects.all()
        }

    before = state()
    row = carried_out(
        ann,
        csv_file("id,name,policy,doors", "r1,,board,box / Door; Side old", "r2,Attic,staff,side OLD"),
        kind="resources",
    )
    assert state() == {
        "r1": ("Room", "Board", ["box/Door", "old/Side old"]),
        "r2": ("Attic", "Staff", ["old/Side old"]),
    }
    client.force_login(ann)
    exported = client.get(reverse("admin:accessmap_resource_sheet", args=["xlsx"])).content
    assert checked(ann, exported, name="r.xlsx", kind="resources").unchanged == 2
    undone(ann, row)
    assert state() == before


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("r1,,,Door", "doors", "several doors are called “Door”"),
        ("r1,,,Gate", "doors", "there is no door “Gate”"),
        ("r1,,Vault,", "policy", "there are: Board, Staff"),
        ("r9,New,,", "policy", "a new resource needs one"),
        (",New,Staff,", "id", "there is none"),
    ],
)
def test_a_wrong_row_of_resources_has_an_error(ann, rooms, line, column, message):
    row = checked(ann, csv_file("id,name,policy,doors", line), kind="resources")
    assert [(number, where) for number, where, _problem in row.row_errors] == [(2, column)]
    assert message in str(row.row_errors[0][2])


def test_a_sheet_whose_worker_died_is_leased_again_and_never_by_two(ann, people, woken, client):
    row = service.upload(kind="people", name="a.csv", content=csv_file(HEAD), user=ann)
    MapImport.objects.filter(pk=row.pk).update(leased_until=row.uploaded_at + service.LEASE)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert row.state == "checking", "somebody else is at it"
    MapImport.objects.filter(pk=row.pk).update(leased_until=row.uploaded_at)
    client.force_login(ann)
    woken.clear()
    page = reverse("admin:accessmap_mapimport_change", args=[row.pk])
    assert client.get(page).status_code == 200
    assert woken == [row.pk], "whoever looks at the page wakes a worker again"


def test_a_sheet_without_rows_is_empty(people):
    assert len(read_sheet("a.csv", csv_file(HEAD))) == 0


def test_the_worker_has_a_context_of_its_own(ann, people):
    with pghistory.context(user=ann.pk):
        row = carried_out(ann, csv_file(HEAD, "n@pier.example,N,,"))
    assert row.context is not None


def test_a_worker_that_comes_late_does_not_import_again(ann, people, monkeypatch):
    """Two take the same import for theirs; the second finds it done, and its undoing still whole."""
    row = checked(ann, csv_file(HEAD, "mei@pier.example,Mei Ling,,"))
    service.carry_out(row.pk, user=ann)
    wait = service._still_due

    def overtaken(late):
        monkeypatch.setattr(service, "_still_due", wait)
        MapImport.objects.filter(pk=late.pk).update(leased_until=None)
        service.work_on_import(late.pk)
        return wait(late)

    monkeypatch.setattr(service, "_still_due", overtaken)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert (row.state, row.changed) == ("imported", 1)
    assert Entry.objects.filter(action="map.import").count() == 1


def test_a_result_is_stored_as_codes_and_read_in_the_readers_language(ann, people, client):
    with translation.override("zh-hant"):
        row = checked(ann, csv_file(HEAD + ",x", "tom@pier.example,,1002; 1002,,", "mei@pier.example,,1001 (lost),,"))
    assert row.error_rows == [[2, "cards", {"code": "row.card_twice", "params": {}}]]
    [[_number, _who, [change]]] = row.change_rows
    assert change["params"]["after"] == {"code": "card_status.lost", "params": {}}
    assert row.notes.keys == {"import.unused_columns"}
    client.force_login(ann)
    page = reverse("admin:accessmap_mapimport_change", args=[row.pk])
    for language, texts in {
        "en": ["Names a card twice.", "Card ••••: active → lost", "One column is not used: x."],
        "zh-hant": ["重複列出同一張卡", "有效 → 遺失", "以下欄沒有使用：x。"],
    }.items():
        shown = client.get(page, headers={"accept-language": language}).content.decode()
        for text in texts:
            assert text in shown, language


def test_a_long_sheet_shows_its_progress(ann, people):
    lines = [f"p{n}@x.example,P{n},{n}," for n in range(5000, 5000 + PROGRESS_EVERY + 1)]
    assert carried_out(ann, csv_file(HEAD, *lines)).created == PROGRESS_EVERY + 1
