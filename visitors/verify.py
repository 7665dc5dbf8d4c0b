"""Answer a turnstile: normalise, look up live within a deadline, decide, write it down, answer. Fails closed."""

import hashlib
import hmac
from datetime import datetime

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from portal import clock
from portal.audit.models import Outcome, record
from portal.offision.configured import client_from_settings
from portal.offision.errors import NotFound, NotUnderstood, OffisionError
from portal.offision.types import Visit
from visitors.codes import MalformedError, normalised
from visitors.decision import Decision, Direction, Reason, decide
from visitors.models import Turnstile, Verification

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 1.5


def verify(
    turnstile: Turnstile, *, read: str, direction: Direction, nonce: str = "", scanned_at: datetime | None = None
) -> Verification:
    """Decide on one scan, and write the answer down before it is given. A nonce seen before gets its first answer.

    `read` is what the scanner read, `scanned_at` its own clock (aware), which is only noted.
    """
    if nonce and (before := turnstile.verifications.filter(nonce=nonce).first()):
        return before
    visit, obstacle, upstream = _look_up(turnstile, read)
    now = clock.now()
    decision = decide(turnstile.terms, direction=direction, visit=visit, obstacle=obstacle, now=now)
    answer = Verification(
        at=now,
        turnstile=turnstile,
        direction=direction.value,
        code_digest=_digest(read),
        nonce=nonce,
        allowed=decision.allowed,
        reasons=[reason.value for reason in decision.reasons],
        visitor=visit.name[:300] if visit else "",
        scanned_at=scanned_at,
        upstream=upstream,
    )
    return _write_down(answer, turnstile, decision)


def _look_up(turnstile: Turnstile, read: str) -> tuple[Visit | None, Reason | None, str]:
    """The visit, or why there is none, with what staff should know of it."""
    try:
        code = normalised(read)
    except MalformedError:
        return None, Reason.MALFORMED, ""
    if not turnstile.enabled:
        return None, Reason.DEVICE_DISABLED, ""
    try:
        return client_from_settings().visit(code, deadline_seconds=DEADLINE_SECONDS), None, ""
    except NotFound:
        return None, Reason.UNKNOWN_CODE, ""
    except NotUnderstood as error:
        return None, Reason.UPSTREAM_MISMATCH, error.summary
    except OffisionError as error:
        return None, Reason.UPSTREAM_UNAVAILABLE, error.summary


def _write_down(answer: Verification, turnstile: Turnstile, decision: Decision) -> Verification:
    try:
        with transaction.atomic():
            answer.save(force_insert=True)
            record(
                actor=f"turnstile {turnstile.name}",
                action="visitor.verify",
                on=answer,
                label=answer.visitor or f"code {answer.code_digest[:12]}",
                outcome=Outcome.DONE if decision.allowed else Outcome.REFUSED,
                reasons=answer.reasons,
                detail={"direction": answer.direction},
            )
    except IntegrityError:
        # The same scan was sent twice at once: the first answer stands.
        return turnstile.verifications.get(nonce=answer.nonce)
    return answer


def _digest(read: str) -> str:
    """A digest that only this portal can make: unknown codes are guesses, or mistyped real ones, and are not kept."""
    return hmac.new(settings.SECRET_KEY.encode(), b"visit:" + read.encode(), hashlib.sha256).hexdigest()
