"""Closes committed entries into blocks. Writers of entries never wait for it, nor for one another."""

import time
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast

from portal.audit.models import Entry, Seal, Unsealed
from portal.audit.sealing import FIELDS, NOTHING, Block, leaf_hash, merkle_root
from portal.core import clock

MAX_BLOCK_ENTRIES = 10_000
# The worker has other work: the next run, a minute later, seals the rest.
BUDGET_SECONDS = 20
# Any number that no other advisory lock of this database uses.
_LOCK = 7_325_001


def seal() -> None:
    """Seal the entries that wait, block by block, within BUDGET_SECONDS."""
    end = time.monotonic() + BUDGET_SECONDS
    while seal_block() and time.monotonic() < end:
        pass


@transaction.atomic
def seal_block() -> int:
    """Seal at most MAX_BLOCK_ENTRIES of the entries that wait; return how many: 0 while another process seals."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    waiting = Entry.objects.filter(Exists(Unsealed.objects.filter(entry_id=OuterRef("id"))))
    leaves = dict(hashed(waiting.order_by("id")[:MAX_BLOCK_ENTRIES]))
    if not leaves:
        return 0
    last = Seal.objects.first()
    ids = list(leaves)
    block = Block(
        number=last.number + 1 if last else 1,
        first_id=ids[0],
        last_id=ids[-1],
        count=len(ids),
        root=merkle_root(list(leaves.values())).hex(),
        previous=last.hash if last else NOTHING,
        sealed_at=clock.now(),
    )
    new_seal = Seal.objects.create(
        number=block.number,
        first_id=block.first_id,
        last_id=block.last_id,
        count=block.count,
        root=block.root,
        previous=block.previous,
        hash=block.hash(),
        sealed_at=block.sealed_at,
    )
    with connection.cursor() as cursor:
        # Two arrays: ten thousand rows of parameters take ten times as long.
        cursor.execute(
            "INSERT INTO audit_sealedentry (seal_id, entry_id, leaf)"
            " SELECT %s, entry_id, leaf FROM unnest(%s::bigint[], %s::bytea[]) AS sealed (entry_id, leaf)",
            [new_seal.number, ids, list(leaves.values())],
        )
        cursor.execute("DELETE FROM audit_unsealed WHERE entry_id = ANY(%s)", [ids])
    return len(ids)


def hashed(entries: QuerySet[Entry]) -> Iterator[tuple[int, bytes]]:
    """The id and the leaf of each entry, as the database stores it."""
    as_text = {"reasons_text": Cast("reasons", TextField()), "detail_text": Cast("detail", TextField())}
    columns = [f"{name}_text" if f"{name}_text" in as_text else name for name in FIELDS]
    for row in entries.annotate(**as_text).values_list(*columns):
        yield row[0], leaf_hash(dict(zip(FIELDS, row, strict=True)))
