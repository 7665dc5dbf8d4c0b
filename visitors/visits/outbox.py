"""The outbox to Offision: check-ins and check-outs, stored with the verification and sent by a worker."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import Problem
from portal.core.tasks import send_task
from portal.offision.client import OffisionClient
from portal.offision.default import client_from_settings, contract_from_settings
from portal.offision.errors import Never, OffisionError, Refused
from portal.offision.statuses import VisitStatus
from visitors.models import Turnstile, Verification, Visit, VisitStatusUpdate
from visitors.problems import NOT_PASSED_AFTER_UPDATE, STATUS_UPDATED
from visitors.verification.codes import problem_without_code
from visitors.verification.decision import Direction

log = structlog.get_logger(__name__)

Change = VisitStatusUpdate.Change
_STATUS_AFTER = {Change.CHECK_IN: VisitStatus.CHECKED_IN, Change.CHECK_OUT: VisitStatus.CHECKED_OUT}
# The update of a worker that died is free for another worker after this time.
LEASE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
# An update whose passage was never confirmed is deleted after this time.
DELETE_UNCONFIRMED_AFTER = timedelta(hours=24)


def prepare(verification: Verification, turnstile: Turnstile, visit: Visit, code: str) -> None:
    """Store the update that an allowed visitor's passage will send. In the verification's transaction."""
    change = Change.CHECK_IN if verification.direction == Direction.IN else Change.CHECK_OUT
    if not turnstile.updates_visit_status or not contract_from_settings().has(change.value):
        return
    if visit.status == _STATUS_AFTER[change].value:
        return
    VisitStatusUpdate.objects.create(
        verification=verification, visit=visit, turnstile=turnstile, change=change, code=code, next_attempt_at=None
    )


def passage_known(verification: Verification, *, passed: bool) -> None:
    """Send the update of a verification now, or drop it if nobody passed. In the passage's transaction."""
    updates = VisitStatusUpdate.objects.filter(verification=verification)
    unsent = updates.filter(done_at__isnull=True)
    if not passed:
        unsent.delete()
        for sent in updates.select_related("visit"):
            _record(sent, Outcome.FAILED, NOT_PASSED_AFTER_UPDATE())
    # One that was given up has no code any more, and keeps its reason.
    elif unsent.filter(code__isnull=False).update(next_attempt_at=clock.now()):
        send_task("visitors.tasks.send_status_updates")


def send_status_updates() -> None:
    """Send every update that is due. A failed one is sent again, for a day."""
    now = clock.now()
    VisitStatusUpdate.objects.filter(next_attempt_at__isnull=True, done_at__isnull=True, last_error=[]).filter(
        created_at__lt=now - DELETE_UNCONFIRMED_AFTER
    ).delete()
    while (update := _lease_next(now)) is not None:
        try:
            _send(client_from_settings(), update)
        except OffisionError as error:
            _failed(update, error)
        else:
            _done(update)


@transaction.atomic
def _lease_next(now: datetime) -> VisitStatusUpdate | None:
    # In order of passage: a departure does not overtake the arrival before it.
    earlier = VisitStatusUpdate.objects.filter(
        visit=OuterRef("visit"), pk__lt=OuterRef("pk"), done_at__isnull=True, next_attempt_at__isnull=False
    )
    due = VisitStatusUpdate.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        ~Exists(earlier), done_at__isnull=True, next_attempt_at__lte=now
    )
    update = due.select_related("visit").order_by("next_attempt_at").first()
    if update is not None:
        update.attempts += 1
        update.next_attempt_at = now + LEASE
        update.save(update_fields=["attempts", "next_attempt_at"])
    return update


def _send(client: OffisionClient, update: VisitStatusUpdate) -> None:
    """Raises OffisionError. The result of an earlier attempt may be unknown: then Offision's status is read first."""
    status = _STATUS_AFTER[Change(update.change)]
    if update.attempts > 1 and client.visit(update.code).status is status:
        return
    try:
        client.check_in(update.code) if update.change == Change.CHECK_IN else client.check_out(update.code)
    except Refused:
        if client.visit(update.code).status is not status:
            raise


@transaction.atomic
def _done(update: VisitStatusUpdate) -> None:
    VisitStatusUpdate.objects.filter(pk=update.pk).update(
        done_at=clock.now(), next_attempt_at=None, code=None, last_error=[]
    )
    _record(update, Outcome.DONE, STATUS_UPDATED())


@transaction.atomic
def _failed(update: VisitStatusUpdate, error: OffisionError) -> None:
    now = clock.now()
    problem = problem_without_code(error, update.code or "")
    gives_up = isinstance(error, Never) or now - update.created_at > GIVE_UP_AFTER
    rows = VisitStatusUpdate.objects.filter(pk=update.pk)
    if gives_up:
        rows.update(next_attempt_at=None, code=None, last_error=problem)
        _record(update, Outcome.FAILED, problem)
    else:
        wait = timedelta(seconds=min(5 * 2 ** min(update.attempts, 8), 600))
        rows.update(next_attempt_at=now + wait, last_error=problem)
    log.warning("a visit in Offision was not updated", visit=update.visit_id, why=str(problem), given_up=gives_up)


def _record(update: VisitStatusUpdate, outcome: Outcome, reason: Problem) -> None:
    record(
        actor="portal",
        action=f"visitor.{update.change}",
        on=update.visit,
        outcome=outcome,
        reasons=[reason],
        detail={"attempts": update.attempts},
    )
