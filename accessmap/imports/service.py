"""A sheet's way into the map: uploaded, checked, imported at somebody's word, and undone at somebody's word.

A page asks and a worker does: what is to be done stands in the row, and Celery's message is only a doorbell. Checking
writes nothing. An import is one transaction, so it happens as a whole or not at all, and one context of history, so
that it can be undone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pghistory
import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accessmap import tasks
from accessmap.imports import SHEETS
from accessmap.imports.reader import MAX_BYTES, Sheet, SheetError, read_sheet
from accessmap.imports.resource import SheetResource
from accessmap.models import MapImport
from accessmap.services import history
from portal.audit.models import record
from portal.core import clock

log = structlog.get_logger(__name__)

State = MapImport.State
# Whoever works on an import tells how far it is more often than this, or is taken to be dead.
LEASE = timedelta(seconds=180)
# Rows with errors that the page shows; the count tells of all.
ERRORS_TOLD = 500
# One import at a time writes: a number of this project's own for PostgreSQL's advisory locks.
_LOCK = 0x0FF1_0005


class NotNow(Exception):
    """What was asked for does not fit the state that the import is in; the text says so."""


def upload(*, kind: str, name: str, content: bytes, user: AbstractBaseUser) -> MapImport:
    """Take a sheet and have it checked. Raises SheetError if it is too large to be taken at all."""
    if len(content) > MAX_BYTES:
        raise SheetError(
            _("The file has more than %(n)d MiB. Split it into several and import one after the other.")
            % {"n": MAX_BYTES // 1024 // 1024}
        )
    row = MapImport.objects.create(
        kind=kind,
        file_name=name[-200:],
        content=content,
        actor=user.get_username(),
        user_id=user.pk,
        language=translation.get_language() or "en",
    )
    ring(row)
    return row


def carry_out(pk: int, *, user: AbstractBaseUser) -> None:
    """Have a checked sheet imported. Raises NotNow."""
    _turn(pk, State.CHECKED, State.IMPORTING, user, where=Q(errors=0))


def undo(pk: int, *, user: AbstractBaseUser) -> None:
    """Have an import undone. Raises NotNow."""
    _turn(pk, State.IMPORTED, State.UNDOING, user)


def drop(pk: int) -> None:
    """Drop a sheet that was not imported. Raises NotNow."""
    done = MapImport.objects.filter(pk=pk, state__in=[State.CHECKED, State.FAILED])
    if not done.update(state=State.DROPPED, content=b"", finished_at=clock.now()):
        raise NotNow(_("This import is not waiting for a decision any more."))


def ring(row: MapImport) -> None:
    """Wake a worker once this transaction is committed. A broker that is down is logged: the page rings again."""
    transaction.on_commit(partial(tasks.work_on_import.delay, row.pk), robust=True)


def waits_for_a_worker(row: MapImport) -> bool:
    """Whether there is work and nobody is at it."""
    return row.state in MapImport.WORK and (row.leased_until is None or row.leased_until < clock.now())


@transaction.atomic
def _turn(pk: int, before: str, after: str, user: AbstractBaseUser, where: Q | None = None) -> None:
    rows = MapImport.objects.filter(where or Q(), pk=pk, state=before)
    if not rows.update(state=after, rows_done=0, leased_until=None, user=user.pk):
        raise NotNow(_("This import is not waiting for a decision any more."))
    ring(MapImport(pk=pk))


def work_on_import(pk: int) -> None:
    """Do what an import waits for: check it, carry it out or undo it. Nothing where somebody is at it already."""
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
        with translation.override(row.language):
            work(row, progress)
    except Exception as error:
        log.exception("an import broke", import_id=pk)
        with translation.override(row.language):
            _broke(row, error)
    finally:
        progress.close()


class Progress:
    """Tells how far a worker is, on a connection of its own: the work's transaction shows nothing until it is over."""

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


@dataclass
class Read:
    """What a run over a sheet has found."""

    total: int
    created: int
    changed: int
    changes: list[tuple[int, str, str]]
    errors: list[tuple[int, str, str]]
    notes: list[str] = field(default_factory=list)

    @property
    def wrong_rows(self) -> int:
        return len({row for row, _column, _sentence in self.errors})


def _all_right(read: Read) -> Read:
    if read.errors:
        raise _MapHasChanged(read)
    return read


class _MapHasChanged(Exception):
    """Rows that were right when they were checked are not any more."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self.read = read


def run(kind: str, sheet: Sheet, *, write: bool, on_progress: Callable[[int], None]) -> Read:
    """Go over a sheet, and write what it says if `write`; where a row is wrong, only say so. Raises SheetError."""
    resource = SHEETS[kind](on_progress=on_progress)
    result = resource.import_data(
        resource.dataset(sheet), dry_run=not write, use_transactions=write, rollback_on_validation_errors=write
    )
    for error in result.base_errors:
        raise error.error
    counts = result.totals
    return Read(
        total=len(sheet),
        created=counts["new"],
        changed=counts["update"],
        changes=resource.told,
        errors=_errors(sheet, result),
        notes=_notes(resource, sheet),
    )


def _errors(sheet: Sheet, result: Any) -> list[tuple[int, str, str]]:
    found = [
        (sheet.rows[row.number - 1][0], column, sentence)
        for row in result.invalid_rows
        for column, sentences in row.error_dict.items()
        for sentence in sentences
    ]
    for row in result.error_rows:
        log.error("a row of an import broke the portal", error=repr(row.errors[0].error))
        kind = type(row.errors[0].error).__name__
        found.append(
            (sheet.rows[row.number - 1][0], "", _("the portal itself failed here (%(error)s)") % {"error": kind})
        )
    return sorted(found)


def _notes(resource: SheetResource, sheet: Sheet) -> list[str]:
    unused = resource.unused(sheet)
    if not unused:
        return []
    return [
        ngettext("One column is not used: %(names)s.", "Some columns are not used: %(names)s.", len(unused))
        % {"names": ", ".join(unused)[:500]}
    ]


def _told(read: Read) -> dict[str, Any]:
    return {
        "rows_total": read.total,
        "rows_done": read.total,
        "created": read.created,
        "changed": read.changed,
        "unchanged": max(0, read.total - read.created - read.changed - read.wrong_rows),
        "errors": read.wrong_rows,
        "error_rows": read.errors[:ERRORS_TOLD],
        "change_rows": read.changes,
        "notes": read.notes,
    }


def _by(row: MapImport) -> str:
    """Who had this done, which may be another than who uploaded the sheet."""
    return row.user.get_username() if row.user is not None else row.actor


def _turn_of(row: MapImport) -> bool:
    """Wait until no other import writes, then say whether this one is still to be done: a worker that was taken to be
    dead may have done it meanwhile. Call it in the transaction that writes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return MapImport.objects.filter(pk=row.pk, state=row.state).exists()


def _finish(row: MapImport, **changes: Any) -> None:
    MapImport.objects.filter(pk=row.pk).update(leased_until=None, **changes)


def _check(row: MapImport, progress: Progress) -> None:
    try:
        sheet = read_sheet(row.file_name, bytes(row.content))
        MapImport.objects.filter(pk=row.pk).update(rows_total=len(sheet))
        read = run(row.kind, sheet, write=False, on_progress=progress)
    except SheetError as error:
        _finish(row, state=State.FAILED, content=b"", notes=[str(error)], finished_at=clock.now())
        return
    _finish(row, state=State.CHECKED, **_told(read))


def _carry_out(row: MapImport, progress: Progress) -> None:
    sheet = read_sheet(row.file_name, bytes(row.content))
    try:
        with transaction.atomic(), pghistory.context(user=row.user_id, import_id=row.pk) as context:
            if not _turn_of(row):
                return
            read = _all_right(run(row.kind, sheet, write=True, on_progress=progress))
            told = _told(read)
            _finish(row, state=State.IMPORTED, content=b"", context=context.id, finished_at=clock.now(), **told)
            record(
                actor=_by(row),
                action="map.import",
                on=row,
                label=f"{row.file_name} ({row.get_kind_display()})",
                detail={name: told[name] for name in ("rows_total", "created", "changed", "unchanged")},
            )
    except _MapHasChanged as changed:
        note = _("The map has changed since this sheet was checked: nothing was imported.")
        _finish(row, state=State.CHECKED, **{**_told(changed.read), "notes": [note]})


def _undo(row: MapImport, progress: Progress) -> None:
    assert row.context is not None
    with transaction.atomic(), pghistory.context(user=row.user_id, undo_of_import=row.pk):
        if not _turn_of(row):
            return
        undone = history.undo(row.context, on_progress=progress)
        said = [
            ngettext("%(n)d change was taken back.", "%(n)d changes were taken back.", undone.restored)
            % {"n": undone.restored},
            *undone.left[:ERRORS_TOLD],
        ]
        if len(undone.left) > ERRORS_TOLD:
            said.append(_("… and %(n)d more stay as they are.") % {"n": len(undone.left) - ERRORS_TOLD})
        _finish(row, state=State.UNDONE, notes=said, finished_at=clock.now())
        record(
            actor=_by(row),
            action="map.import_undone",
            on=row,
            label=f"{row.file_name} ({row.get_kind_display()})",
            detail={"restored": undone.restored, "left": len(undone.left)},
        )


def _broke(row: MapImport, error: Exception) -> None:
    """Nothing was written. The sheet is kept, so that it can be tried again."""
    why = (
        _("Somebody changed the same people or resources at the same moment, so nothing was changed. Try again.")
        if isinstance(error, DatabaseError)
        else _("The portal itself failed (%(error)s), so nothing was changed; its log has the details.")
        % {"error": type(error).__name__}
    )
    back = {State.CHECKING: State.FAILED, State.IMPORTING: State.CHECKED, State.UNDOING: State.IMPORTED}
    _finish(row, state=back[State(row.state)], notes=[why])
