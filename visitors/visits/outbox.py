"""Tell Offision of arrivals and departures: an outbox, written with the passage and worked off by a worker."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision.client import OffisionClient
from portal.offision.default import client_from_settings, contract_from_settings
from portal.offision.errors import Never, OffisionError, Refused
from portal.offision.types import VisitStatus
from visitors.models import StatusMove, Turnstile, Verification, Visit
from visitors.verification.codes import without
from visitors.verification.decision import Direction

log = structlog.get_logger(__name__)

Move = StatusMove.Move
_BECOMES = {Move.CHECK_IN: VisitStatus.CHECKED_IN, Move.CHECK_OUT: VisitStatus.CHECKED_OUT}
# A worker that died over one leaves it to the next after so long.
LEASE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
# A passage that was never confirmed leaves its row behind for so long.
FORGET_UNCONFIRMED_AFTER = timedelta(hours=24)


def prepare(answer: Verification, turnstile: Turnstile, visit: Visit, code: str) -> None:
    """Somebody was let through: note what Offision is to be told, should they walk. In the answer's transaction."""
    move = Move.CHECK_IN if answer.direction == Direction.IN else Move.CHECK_OUT
    if not turnstile.tells_offision or not contract_from_settings().has(move.value):
        return
    if visit.status == _BECOMES[move].value:
        return
    StatusMove.objects.create(verification=answer, visit=visit, turnstile=turnstile, move=move, code=code, next_at=None)


def release(answer: Verification, *, passed: bool) -> None:
    """They walked: it is to be told now. They did not: it is not. In the passage's transaction."""
    moves = StatusMove.objects.filter(verification=answer)
    rows = moves.filter(done_at__isnull=True)
    if not passed:
        rows.delete()
        for told in moves.select_related("visit"):
            _log(told, Outcome.FAILED, [_("Offision was told, and nobody walked through after all: mend it there.")])
    elif rows.update(next_at=clock.now()):
        from visitors import tasks  # the tasks call this service

        transaction.on_commit(tasks.tell_offision.delay, robust=True)


def tell_offision() -> None:
    """Tell everything that is due. What fails is tried again, for a day."""
    now = clock.now()
    StatusMove.objects.filter(next_at__isnull=True, done_at__isnull=True, last_error="").filter(
        created_at__lt=now - FORGET_UNCONFIRMED_AFTER
    ).delete()
    while (move := _claim(now)) is not None:
        try:
            _tell(client_from_settings(), move)
        except OffisionError as error:
            _put_off(move, error)
        else:
            with transaction.atomic():
                StatusMove.objects.filter(pk=move.pk).update(
                    done_at=clock.now(), next_at=None, code=None, last_error=""
                )
                _log(move, Outcome.DONE, [])


@transaction.atomic
def _claim(now: datetime) -> StatusMove | None:
    # In the order in which they happened: a departure does not overtake the arrival before it.
    earlier = StatusMove.objects.filter(
        visit=OuterRef("visit"), pk__lt=OuterRef("pk"), done_at__isnull=True, next_at__isnull=False
    )
    due = StatusMove.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        ~Exists(earlier), done_at__isnull=True, next_at__lte=now
    )
    move = due.select_related("visit").order_by("next_at").first()
    if move is not None:
        move.attempts += 1
        move.next_at = now + LEASE
        move.save(update_fields=["attempts", "next_at"])
    return move


def _tell(client: OffisionClient, move: StatusMove) -> None:
    """Raises OffisionError. After an attempt whose end nobody knows, Offision is asked how things stand first."""
    becomes = _BECOMES[Move(move.move)]
    if move.attempts > 1 and client.visit(move.code).status is becomes:
        return
    try:
        client.check_in(move.code) if move.move == Move.CHECK_IN else client.check_out(move.code)
    except Refused:
        if client.visit(move.code).status is not becomes:
            raise


@transaction.atomic
def _put_off(move: StatusMove, error: OffisionError) -> None:
    now = clock.now()
    final = isinstance(error, Never) or now - move.created_at > GIVE_UP_AFTER
    wait = timedelta(seconds=min(5 * 2 ** min(move.attempts, 8), 600))
    changes = {"code": None} if final else {}
    why = without(move.code or "", error.summary)
    StatusMove.objects.filter(pk=move.pk).update(next_at=None if final else now + wait, last_error=why, **changes)
    if final:
        _log(move, Outcome.FAILED, [why])
    log.warning("Offision was not told of a visitor", visit=move.visit_id, why=why, given_up=final)


def _log(move: StatusMove, outcome: Outcome, reasons: list[str]) -> None:
    record(
        actor="portal",
        action=f"visitor.{move.move}",
        on=move.visit,
        outcome=outcome,
        reasons=reasons or [_("Offision was told.")],
        detail={"attempts": move.attempts},
    )
