"""The problems and reasons of visitors, by code."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from portal.core.problems import Problem, problem
from visitors.verification.decision import Reason

_SENTENCES = {
    Reason.MALFORMED: _("The scanned text is not a registration code."),
    Reason.THROTTLED: _("Too many unknown codes were scanned here: the code was not looked up."),
    Reason.DEVICE_DISABLED: _("The turnstile is disabled."),
    Reason.WRONG_DIRECTION: _("The turnstile does not admit in this direction, or its reader is not configured."),
    Reason.UPSTREAM_UNAVAILABLE: _("Offision did not answer."),
    Reason.UPSTREAM_MISMATCH: _("Offision's answer does not fit the contract."),
    Reason.UNKNOWN_CODE: _("Offision does not know the code."),
    Reason.BLACKLISTED: _("The visitor is blacklisted in Offision."),
    Reason.CANCELLED: _("The visit is cancelled."),
    Reason.WRONG_SITE: _("The visit is at another site."),
    Reason.NOT_YET_VALID: _("The visit has not begun."),
    Reason.EXPIRED: _("The visit is over."),
    Reason.NOT_CHECKED_IN: _("The visitor is not checked in."),
    Reason.CHECKED_OUT: _("The visitor is checked out."),
    Reason.STATUS_NOT_ADMITTED: _("The turnstile does not admit visitors with this visiting status."),
    Reason.ALREADY_INSIDE: _("The visitor is inside already."),
    Reason.NOT_INSIDE: _("The visitor's arrival was not seen."),
    Reason.DOOR_NOT_OPENED: _("The portal could not unlock the door."),
    Reason.DECIDED_OFFLINE: _("The turnstile denied the scan while it was offline, and gave no reason."),
}
_DENIED = {reason: problem(f"visitor.{reason.value}", sentence) for reason, sentence in _SENTENCES.items()}


def denied(reasons: Iterable[str]) -> list[Problem]:
    """The reasons of a decision (values of Reason) as problems."""
    return [_DENIED[Reason(reason)]() for reason in reasons]


# Passages
REPORTED_LATE = problem(
    "visitor.reported_late",
    _("The passage was reported too late: another visitor may have been allowed with the same code meanwhile."),
)

# What Offision answered
UNKNOWN_STATUS_WORD = problem(
    "visitor.unknown_status_word",
    _("The field status holds %(word)s, which words.visit of the contract does not list."),
)
LOOK_UP_TIMED_OUT = problem("visitor.look_up_timed_out", _("Offision did not answer in time."))
TOO_MANY_LOOK_UPS = problem(
    "visitor.too_many_look_ups",
    _("Offision is slow: too many look-ups are waiting already, so this one was not made."),
)
LOOK_UP_FAILED = problem("visitor.look_up_failed", _("The look-up failed."))

# Check-ins and check-outs in Offision
STATUS_UPDATED = problem("visitor.status_updated", _("Offision was updated."))
NOT_PASSED_AFTER_UPDATE = problem(
    "visitor.not_passed_after_update",
    _("Offision was updated, and the visitor did not walk through after all: correct the visit in Offision."),
)

# Guessing
GUESSING_AT_TURNSTILE = problem(
    "visitor.guessing_at_turnstile",
    _("Over %(n)d unknown codes in a minute at %(turnstile)s: codes are being guessed, or its scanner is broken."),
)
GUESSING_OVERALL = problem(
    "visitor.guessing_overall",
    _("Over %(n)d unknown codes in a minute at all turnstiles together: codes are being guessed."),
)
