"""What every table of the map has in common: history, and the notes of what a change touches."""

from typing import Any

import pghistory
import pgtrigger
from django.db import models


def tracked(**options: Any) -> Any:
    """History keeps a row after its insertion, after each update and before its deletion: each can be put back."""
    return pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), **options)


def names_changes(*, rows: str = "changed", **columns: str) -> list[pgtrigger.Trigger]:
    """The triggers that note in MapChange what each change of a table touches.

    `columns` are MapChange's, each with the SQL of its value; `rows` is the FROM clause. In both, `changed` stands for
    the rows that one statement has inserted, updated (before and after) or deleted: a statement that changes 10,000
    rows notes them with one INSERT.
    """
    tables_of = {
        pgtrigger.Insert: {"new": "new_rows"},
        pgtrigger.Update: {"old": "old_rows", "new": "new_rows"},
        pgtrigger.Delete: {"old": "old_rows"},
    }
    return [
        pgtrigger.Trigger(
            name=f"names_{str(operation).lower()}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=pgtrigger.Referencing(**tables),  # type: ignore[no-untyped-call]
            func=(
                f"WITH changed AS ({' UNION ALL '.join(f'TABLE {table}' for table in tables.values())}) "  # noqa: S608
                f"INSERT INTO accessmap_mapchange ({', '.join(columns)}) "
                f"SELECT DISTINCT {', '.join(columns.values())} FROM {rows}; RETURN NULL;"
            ),
        )
        for operation, tables in tables_of.items()
    ]


class MapChange(models.Model):
    """What one change of the map touches. accessmap.services.map_changes reads and deletes these rows.

    Triggers insert them, so bulk updates and raw SQL are noted too. Two transactions that change the map share no lock:
    the ids are no foreign keys, and there is no counter.
    """

    controller_id = models.BigIntegerField(null=True)
    resource_id = models.BigIntegerField(null=True)
    policy_id = models.BigIntegerField(null=True)
    level_id = models.BigIntegerField(null=True)
    cardholder_id = models.BigIntegerField(null=True)
    email = models.TextField(null=True)  # noqa: DJ001 - NULL in every column that a change does not name
    card_number = models.TextField(null=True)  # noqa: DJ001

    def __str__(self) -> str:
        return f"Map change {self.pk}"
