"""The changes of the map since they were last consumed."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accessmap.models import MapChange, normal_email

# More changes than this are not read one by one: they touch everything.
LIMIT = 5000


@dataclass(frozen=True)
class MapChanges:
    """What committed changes of the map touch. The sets hold primary keys, emails are normalised.

    Deleted rows are named too. `everything`: there were more than LIMIT changes, so the sets are empty and anything may
    be touched.
    """

    controllers: frozenset[int] = frozenset()
    resources: frozenset[int] = frozenset()
    policies: frozenset[int] = frozenset()
    levels: frozenset[int] = frozenset()
    cardholders: frozenset[int] = frozenset()
    emails: frozenset[str] = frozenset()
    card_numbers: frozenset[str] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self != MapChanges()


@transaction.atomic
def consume() -> MapChanges:
    """Read and delete the committed changes. Call it in the transaction that acts on them.

    It does not wait for transactions that are still open: the next call reads their changes.
    """
    rows = list(MapChange.objects.select_for_update(skip_locked=True).order_by("pk")[: LIMIT + 1])
    if len(rows) > LIMIT:
        MapChange.objects.all().delete()
        return MapChanges(everything=True)
    MapChange.objects.filter(pk__in=[row.pk for row in rows]).delete()

    def values(column: str) -> frozenset[Any]:
        return frozenset(value for row in rows if (value := getattr(row, column)) not in (None, ""))

    return MapChanges(
        controllers=values("controller_id"),
        resources=values("resource_id"),
        policies=values("policy_id"),
        levels=values("level_id"),
        cardholders=values("cardholder_id"),
        emails=frozenset(normal_email(email) for email in values("email")),
        card_numbers=values("card_number"),
    )
