"""Entries can be added, and neither changed nor deleted, by anybody."""

import pytest
from django.db import DatabaseError, connection, transaction

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


def test_the_log_cannot_be_emptied(entry):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_never_emptied%%' AND tgrelid = %s::regclass",
            [Entry._meta.db_table],
        )
        ((trigger,),) = cursor.fetchall()
        # Other tests need it off (see conftest.py).
        cursor.execute(f'ALTER TABLE {Entry._meta.db_table} ENABLE TRIGGER "{trigger}"')
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(f"TRUNCATE {Entry._meta.db_table}")


def test_an_entry_is_rolled_back_with_its_act():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(actor="ann", action="plan.approve", on=None)
        1 / 0  # noqa: B018
    assert not Entry.objects.exists()
