"""Entries can be added, and neither changed nor deleted, by anybody."""

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from accessmap.models import AccessLevel
from portal.audit.models import Entry, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry():
    with transaction.atomic():
        return record(actor="ann", action="plan.approve", on=None, label="L10")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda entry: entry.delete(),
        lambda entry: Entry.objects.all().delete(),
        lambda entry: Entry.objects.update(actor="bob"),
        lambda entry: entry.save(),
        lambda entry: Entry.objects.bulk_update([Entry(pk=entry.pk, actor="bob")], ["actor"]),
    ],
)
def test_an_entry_cannot_be_changed_or_deleted(entry, attempt):
    with pytest.raises(DatabaseError), transaction.atomic():
        attempt(entry)
    assert Entry.objects.get().actor == "ann"


@pytest.mark.parametrize("model", [Entry, AccessLevel, User])
def test_neither_the_log_nor_what_it_covers_can_be_truncated(entry, model):
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_never_emptied%%' AND tgrelid = %s::regclass",
            [table],
        )
        ((trigger,),) = cursor.fetchall()
        # Other tests need it off (see conftest.py).
        cursor.execute(f'ALTER TABLE {table} ENABLE TRIGGER "{trigger}"')
        with pytest.raises(DatabaseError, match=r"append-only|use DELETE"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")


def test_an_entry_is_rolled_back_with_its_act():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(actor="ann", action="plan.approve", on=None)
        1 / 0  # noqa: B018
    assert not Entry.objects.exists()
