"""Sealing and verifying in a real database, with somebody at work who has its superuser."""

import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from portal.audit import sealer, verifying
from portal.audit.models import Entry, Seal, SealCheck, SealedEntry, Unsealed, record
from portal.audit.sealing import Block
from portal.core import clock

pytestmark = pytest.mark.django_db


def write(number: int = 3) -> list[int]:
    with transaction.atomic():
        return [
            record(actor="ann", action="contract.check", on=None, label=f"L{n}", detail={"fingerprint": 0.1}).pk
            for n in range(number)
        ]


def verify(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", "verify", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def broken(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        verify(*arguments)
    assert raised.value.returncode == 1
    return str(raised.value)


def as_superuser(sql: str, *parameters: Any) -> None:
    """Past every trigger, as somebody can who owns the tables."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters)
        assert cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def three_blocks():
    """Nine entries under three seals."""
    ids = []
    for _block in range(3):
        ids += write()
        assert sealer.seal_block() == 3
    assert not Unsealed.objects.exists()
    return ids


def test_an_untouched_log_verifies_and_prints_what_to_keep(three_blocks):
    report = verify()
    last = Seal.objects.get(number=3)
    assert "All 3 seals are in order; they cover 9 entries." in report
    assert f"3:{last.hash}" in report
    assert "in order" in verify("--expect", f"3:{last.hash}")
    assert "in order" in verify("--expect", f"1:{Seal.objects.get(number=1).hash.upper()}")
    assert "Seal 3 is not there with that hash" in broken("--expect", f"3:{'0' * 64}")
    with pytest.raises(CommandError, match="NUMBER:HASH is wanted"):
        verify("--expect", "3")


def test_a_log_without_seals_is_not_amiss():
    assert "Nothing is sealed yet" in verify()


def test_blocks_are_bounded_and_follow_one_another(monkeypatch):
    monkeypatch.setattr(sealer, "MAX_BLOCK_ENTRIES", 4)
    ids = write(10)
    sealer.seal()
    seals = list(Seal.objects.order_by("number"))
    assert [(s.number, s.count, s.first_id, s.last_id) for s in seals] == [
        (1, 4, ids[0], ids[3]),
        (2, 4, ids[4], ids[7]),
        (3, 2, ids[8], ids[9]),
    ]
    assert [s.previous for s in seals] == ["0" * 64, seals[0].hash, seals[1].hash]
    assert sealer.seal_block() == 0, "an empty block would say nothing"
    assert "10 entries" in verify()


CHANGE: dict[Any, dict[str, Any]] = {Seal: {"root": ""}, SealedEntry: {"leaf": b""}}


@pytest.mark.parametrize("model", CHANGE)
@pytest.mark.parametrize("attempt", [lambda rows: rows.delete(), lambda rows: rows.update(**CHANGE[rows.model])])
def test_a_seal_stays_as_it_is(three_blocks, model, attempt):
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        attempt(model.objects.all())


@pytest.mark.parametrize("field", [f.name for f in Entry._meta.concrete_fields if f.name != "id"])
def test_a_changed_entry_is_named_whichever_field_was_changed(three_blocks, field):
    value = {
        "at": "at + interval '1 microsecond'",
        "reasons": """'["x"]'""",
        # As a float it is the same number.
        "detail": """'{"fingerprint": 0.1000000000000000055}'""",
    }.get(field, f"{field} || ' '")
    change = f"UPDATE audit_entry SET {field} = {value} WHERE id = %s"  # noqa: S608 (names of columns)
    as_superuser(change, three_blocks[4])
    assert broken() == f"Entry {three_blocks[4]} was changed after seal 2."


def test_a_deleted_entry_is_named(three_blocks):
    as_superuser("DELETE FROM audit_entry WHERE id = %s", three_blocks[7])
    assert broken() == f"Entry {three_blocks[7]} is missing: seal 3 covers it."


def test_an_entry_that_was_added_past_the_triggers_is_named(three_blocks):
    as_superuser(
        "INSERT INTO audit_entry"
        " (id, at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)"
        " SELECT -5, at, 'eve', action, object_type, object_id, object_label, outcome, reasons, detail"
        " FROM audit_entry WHERE id = %s",
        three_blocks[4],
    )
    assert "Entry -5 has no seal and does not wait for one" in broken()
    as_superuser("INSERT INTO audit_sealedentry (entry_id, seal_id, leaf) VALUES (-5, 99, '')")
    assert "Entry -5 has no seal" in broken(), "nor does it help to list it under a seal that is not there"
    as_superuser("UPDATE audit_sealedentry SET seal_id = 2, leaf = %s WHERE entry_id = -5", leaf_of(-5))
    assert broken() == "Seal 2 covers 3 entries, and the 4 listed under it do not make its root."


def leaf_of(pk: int) -> bytes:
    return dict(sealer.hashed(Entry.objects.filter(pk=pk)))[pk]


def test_changing_an_entry_and_its_leaf_breaks_the_root(three_blocks):
    as_superuser("UPDATE audit_entry SET actor = 'bob' WHERE id = %s", three_blocks[4])
    as_superuser(
        "UPDATE audit_sealedentry SET leaf = %s WHERE entry_id = %s", leaf_of(three_blocks[4]), three_blocks[4]
    )
    assert "Seal 2 covers 3 entries, and the 3 listed under it do not make its root." in broken()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE audit_seal SET root = repeat('0', 64) WHERE number = 2", "Seal 2 was changed"),
        ("UPDATE audit_seal SET count = 4 WHERE number = 2", "Seal 2 was changed"),
        ("UPDATE audit_seal SET sealed_at = sealed_at - interval '1 day' WHERE number = 2", "Seal 2 was changed"),
        ("UPDATE audit_seal SET hash = repeat('0', 64) WHERE number = 2", "Seal 2 was changed"),
        ("UPDATE audit_seal SET previous = repeat('0', 64) WHERE number = 2", "chain is broken at seal 2"),
        ("DELETE FROM audit_seal WHERE number = 2", "Seal 2 is missing; the next is 3."),
        ("DELETE FROM audit_seal WHERE number = 1", "Seal 1 is missing; the next is 2."),
        ("DELETE FROM audit_sealedentry WHERE seal_id = 2", "Seal 2 covers 3 entries, and the 0 listed"),
    ],
)
def test_a_changed_seal_is_named(three_blocks, change, sentence):
    as_superuser(change)
    assert sentence in broken()


def test_a_seal_made_anew_breaks_the_next(three_blocks):
    second = Seal.objects.get(number=2)
    forged = Block(2, second.first_id, second.last_id, 3, second.root, second.previous, clock.now())
    as_superuser("UPDATE audit_seal SET sealed_at = %s, hash = %s WHERE number = 2", forged.sealed_at, forged.hash())
    assert "chain is broken at seal 3" in broken()


def test_seals_that_were_cut_off_at_the_end_are_missed_after_a_check(three_blocks):
    verify()
    as_superuser("DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_sealedentry WHERE seal_id = 3)")
    as_superuser("DELETE FROM audit_sealedentry WHERE seal_id = 3")
    as_superuser("DELETE FROM audit_seal WHERE number = 3")
    assert "Seal 3 is gone or replaced" in broken()
    as_superuser("DELETE FROM audit_sealcheck")
    assert "All 2 seals" in verify(), "who can do that as well is not found here: keep a hash elsewhere"


def test_an_entry_that_was_taken_away_before_it_was_sealed_is_named(three_blocks):
    (gone,) = write(1)
    as_superuser("DELETE FROM audit_entry WHERE id = %s", gone)
    write(1)
    sealer.seal()
    assert broken() == f"Entry {gone} is missing: it was deleted before it was sealed."


def test_an_entry_that_nobody_seals_is_named(three_blocks):
    (late,) = write(1)
    verify()
    with clock.stopped_at(clock.now() + timedelta(minutes=61)):
        assert f"Entry {late} has waited for its seal" in broken()


def test_the_hourly_check_looks_at_what_is_new_and_once_a_day_at_all(three_blocks):
    verifying.check_seals()
    assert SealCheck.objects.get().number == 3
    new = write()
    sealer.seal()
    as_superuser("UPDATE audit_entry SET actor = 'bob' WHERE id = %s", three_blocks[0])
    verifying.check_seals()
    assert SealCheck.objects.get().last_error == []
    assert SealCheck.objects.get().number == 4
    with clock.stopped_at(clock.now() + timedelta(hours=24)):
        verifying.check_seals()
        assert str(SealCheck.objects.get().last_error) == f"Entry {three_blocks[0]} was changed after seal 1."
        verifying.check_seals()
        assert SealCheck.objects.get().last_error, "a look at what is new alone would not see it"
        as_superuser("UPDATE audit_entry SET actor = 'ann' WHERE id = %s", three_blocks[0])
        verifying.check_seals()
        assert SealCheck.objects.get().last_error == []
        as_superuser("UPDATE audit_entry SET actor = 'bob' WHERE id = %s", new[0])
    verifying.check_seals()
    assert SealCheck.objects.get().last_error == []


def test_what_somebody_found_by_hand_is_not_forgotten_by_the_next_look_at_what_is_new(three_blocks):
    verifying.check_seals()
    as_superuser("UPDATE audit_entry SET actor = 'bob' WHERE id = %s", three_blocks[0])
    assert "was changed" in broken()
    verifying.check_seals()
    assert str(SealCheck.objects.get().last_error) == f"Entry {three_blocks[0]} was changed after seal 1."


def test_a_new_seal_that_is_wrong_is_found_by_the_next_check(three_blocks):
    verifying.check_seals()
    new = write()
    sealer.seal()
    as_superuser("DELETE FROM audit_entry WHERE id = %s", new[1])
    verifying.check_seals()
    assert str(SealCheck.objects.get().last_error) == f"Entry {new[1]} is missing: seal 4 covers it."


# With real commits -------------------------------------------


def elsewhere(work):
    """Runs in a thread, on a connection of its own."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_is_committed_late_is_sealed_once_and_its_writer_waits_for_nobody():
    written, commit = threading.Event(), threading.Event()
    late: list[int] = []

    def slow():
        with transaction.atomic():
            late.extend(write(1))
            written.set()
            assert commit.wait(30)

    writer = elsewhere(slow)
    assert written.wait(30)
    early = write(2)
    assert late[0] < early[0]
    sealer.seal()
    assert list(SealedEntry.objects.order_by("entry_id").values_list("entry_id", flat=True)) == early
    assert "cover 2 entries" in verify()
    commit.set()
    writer.join(30)
    sealer.seal()
    sealer.seal()
    assert SealedEntry.objects.get(entry_id=late[0]).seal_id == 2
    assert SealedEntry.objects.count() == 3
    assert "All 2 seals are in order; they cover 3 entries." in verify()


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_waits_for_no_seal():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(1)
        1 / 0  # noqa: B018
    write(1)
    sealer.seal()
    assert "they cover 1 entries" in verify()


@pytest.mark.django_db(transaction=True)
def test_of_two_sealers_one_seals_and_the_other_goes_away():
    ids = write(5)
    sealed, end = threading.Event(), threading.Event()

    def first():
        with transaction.atomic():
            assert sealer.seal_block() == 5
            sealed.set()
            assert end.wait(30)

    other = elsewhere(first)
    assert sealed.wait(30)
    assert sealer.seal_block() == 0
    new = write(1)  # nor do writers wait
    end.set()
    other.join(30)
    assert sealer.seal_block() == 1
    assert list(Seal.objects.order_by("number").values_list("number", "first_id")) == [(1, ids[0]), (2, new[0])]
    assert "All 2 seals" in verify()
