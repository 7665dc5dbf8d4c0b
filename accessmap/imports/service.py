"""The life of an import: a sheet is uploaded and checked, somebody has it imported, somebody has it undone.

A page asks and a worker does: the row says what is to be done, and Celery's message only wakes the worker. Checking
writes nothing. An import is one transaction, so it happens as a whole or not at all, and one context of history, so
that it can be undone.
"""

from datetime import timedelta
from typing import Any

import pghistory
import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import Q

from accessmap.imports import SHEETS, problems
from accessmap.imports.reader import SheetError, check_size, read_sheet
from accessmap.imports.sheet import MapSheet
from accessmap.models import MapImport
from accessmap.services import history
from portal.audit.models import record
from portal.core import clock
from portal.core.problems import Problem
from portal.core.tasks import send_task

log = structlog.get_logger(__name__)

State = MapImport.State
TASK = "accessmap.tasks.work_on_import"
# A worker reports its progress more often than this, or is taken to be dead.
LEASE = timedelta(seconds=180)
# Rows that an import's page shows; its counts are of all rows.
ERRORS_SHOWN = 500
CHANGES_SHOWN = 200
# One import at a time writes: a key of this project's own for PostgreSQL's advisory locks.
_LOCK = 0x0FF1_0005


class NotNow(Exception):
    """The import is not in the state that the request needs; `problem` says so."""

    def __init__(self) -> None:
        self.problem = problems.NOT_WAITING()
        super().__init__(self.problem)


def upload(*, kind: str, name: str, content: bytes, user: AbstractBaseUser) -> MapImport:
    """Store a sheet and have it checked. Raises SheetError if it is too large to be stored."""
    check_size(len(content))
    row = MapImport.objects.create(
        kind=kind, file_name=name[-200:], content=content, actor=user.get_username(), user_id=user.pk
    )
    wake_worker(row.pk)
    return row


def carry_out(pk: int, *, user: AbstractBaseUser) -> None:
    """Have a checked sheet imported. Raises NotNow."""
    _request(pk, State.CHECKED, State.IMPORTING, user, where=Q(errors=0))


def undo(pk: int, *, user: AbstractBaseUser) -> None:
    """Have an import undone. Raises NotNow."""
    _request(pk, State.IMPORTED, State.UNDOING, user)


def drop(pk: int) -> None:
    """Drop a sheet that was not imported. Raises NotNow."""
    waiting = MapImport.objects.filter(pk=pk, state__in=[State.CHECKED, State.FAILED])
    if not waiting.update(state=State.DROPPED, content=b"", finished_at=clock.now()):
        raise NotNow


@transaction.atomic
def _request(pk: int, before: str, after: str, user: AbstractBaseUser, where: Q | None = None) -> None:
    rows = MapImport.objects.filter(where or Q(), pk=pk, state=before)
    if not rows.update(state=after, rows_done=0, leased_until=None, user=user.pk):
        raise NotNow
    wake_worker(pk)


def wake_worker(pk: int) -> None:
    send_task(TASK, pk)


def needs_worker(row: MapImport) -> bool:
    """Whether there is work and no worker has leased it."""
    return row.state in MapImport.WORK and (row.leased_until is None or row.leased_until < clock.now())


def work_on_import(pk: int) -> None:
    """Check an import, carry it out or undo it, as its state says. Does nothing while another worker has leased it."""
    now = clock.now()
    free = MapImport.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lt=now), pk=pk, state__in=MapImport.WORK
    )
    if not free.update(leased_until=now + LEASE):
        return
    row = MapImport.objects.get(pk=pk)
    work = {State.CHECKING: _check, State.IMPORTING: _carry_out, State.UNDOING: _undo}[State(row.state)]
    progress = Progress(pk)
    try:
        work(row, progress)
    except Exception as error:
        log.exception("an import failed", import_id=pk)
        _fail(row, error)
    finally:
        progress.close()


class Progress:
    """Writes how far a worker is, and renews its lease, on a connection of its own: nobody sees what the work's
    transaction writes before it ends."""

    def __init__(self, pk: int) -> None:
        self._pk = pk
        self._connection = connections.create_connection("default")

    def __call__(self, rows: int) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE accessmap_mapimport SET rows_done = %s, leased_until = %s WHERE id = %s",
                [rows, clock.now() + LEASE, self._pk],
            )

    def close(self) -> None:
        self._connection.close()


def _check(row: MapImport, progress: Progress) -> None:
    try:
        sheet = read_sheet(row.file_name, bytes(row.content))
        MapImport.objects.filter(pk=row.pk).update(rows_total=len(sheet))
        compared = SHEETS[row.kind](sheet)
    except SheetError as error:
        _finish(row, state=State.FAILED, content=b"", notes=error.problem, finished_at=clock.now())
        return
    compared.read(progress)
    _finish(row, state=State.CHECKED, notes=_unused_columns(compared), **_result(compared))


def _carry_out(row: MapImport, progress: Progress) -> None:
    sheet = read_sheet(row.file_name, bytes(row.content))
    with transaction.atomic(), pghistory.context(user=row.user_id, import_id=row.pk) as context:
        if not _still_due(row):
            return
        compared = SHEETS[row.kind](sheet)
        compared.read(progress)
        result = _result(compared)
        if compared.errors:
            _finish(row, state=State.CHECKED, notes=problems.MAP_HAS_CHANGED(), **result)
            return
        record(
            actor=_requested_by(row),
            action="map.import",
            on=row,
            label=_label(row),
            detail={name: result[name] for name in ("rows_total", "created", "changed", "unchanged")},
        )
        _finish(
            row,
            state=State.IMPORTED,
            content=b"",
            context=context.id,
            finished_at=clock.now(),
            notes=_unused_columns(compared),
            **result,
        )
        compared.write(actor=_requested_by(row))


def _undo(row: MapImport, progress: Progress) -> None:
    assert row.context is not None
    with transaction.atomic(), pghistory.context(user=row.user_id, undo_of_import=row.pk):
        if not _still_due(row):
            return
        undone = history.undo(row.context, on_progress=progress)
        notes = [problems.TAKEN_BACK(n=undone.restored), *undone.left[:ERRORS_SHOWN]]
        if len(undone.left) > ERRORS_SHOWN:
            notes.append(problems.MORE_LEFT(n=len(undone.left) - ERRORS_SHOWN))
        _finish(row, state=State.UNDONE, notes=notes, finished_at=clock.now())
        record(
            actor=_requested_by(row),
            action="map.import_undone",
            on=row,
            label=_label(row),
            detail={"restored": undone.restored, "left": len(undone.left)},
        )


def _still_due(row: MapImport) -> bool:
    """Wait until no other import writes, then say whether this one is still to be done: a worker that was taken to be
    dead may have done it meanwhile. Call it in the transaction that writes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return MapImport.objects.filter(pk=row.pk, state=row.state).exists()


def _finish(row: MapImport, **changes: Any) -> None:
    MapImport.objects.filter(pk=row.pk).update(leased_until=None, **changes)


def _fail(row: MapImport, error: Exception) -> None:
    """Nothing was written. The sheet is kept, so that it can be tried again."""
    problem = problems.CONFLICT() if isinstance(error, DatabaseError) else problems.FAILED(error=type(error).__name__)
    back = {State.CHECKING: State.FAILED, State.IMPORTING: State.CHECKED, State.UNDOING: State.IMPORTED}
    _finish(row, state=back[State(row.state)], notes=problem)


def _result(compared: MapSheet) -> dict[str, Any]:
    """The counts and the rows that the import's page shows, as fields of MapImport."""
    total, created, wrong = len(compared.rows), 0, 0
    changed_rows = []
    for row in compared.rows:
        wrong += bool(row.errors)
        created += row.created
        if row.changes:
            changed_rows.append(row)
    return {
        "rows_total": total,
        "rows_done": total,
        "created": created,
        "changed": len(changed_rows) - created,
        "unchanged": total - len(changed_rows) - wrong,
        "errors": wrong,
        "error_rows": [
            [number, column, problem.as_json()] for number, column, problem in compared.errors[:ERRORS_SHOWN]
        ],
        "change_rows": [
            [row.number, row.subject, [change.as_json() for change in row.changes]]
            for row in changed_rows[:CHANGES_SHOWN]
        ],
    }


def _unused_columns(compared: MapSheet) -> list[Problem]:
    names = compared.unused_columns
    return [problems.UNUSED_COLUMNS(names=", ".join(names)[:500], n=len(names))] if names else []


def _requested_by(row: MapImport) -> str:
    """Who requested the work, which may be another than who uploaded the sheet."""
    return row.user.get_username() if row.user is not None else row.actor


def _label(row: MapImport) -> str:
    return f"{row.file_name} ({row.kind})"
