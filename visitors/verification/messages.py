"""The sentence on a turnstile's display. It is generic: the people behind the visitor read it, too."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from visitors.verification.decision import Reason

_FAULTS = {Reason.UPSTREAM_UNAVAILABLE, Reason.UPSTREAM_MISMATCH, Reason.DEVICE_DISABLED, Reason.DOOR_NOT_OPENED}
_UNREADABLE = {Reason.MALFORMED, Reason.UNKNOWN_CODE}


def message(allowed: bool, reasons: Sequence[str]) -> str:
    """One short sentence for the visitor, in the language of the request."""
    if allowed:
        return _("Please pass.")
    leading = Reason(reasons[0])
    if leading in _FAULTS:
        return _("Out of order. Please see reception.")
    if leading in _UNREADABLE:
        return _("The code was not recognised. Please try again or see reception.")
    if leading is Reason.THROTTLED:
        return _("Please wait a minute, or see reception.")
    if leading is Reason.NOT_YET_VALID:
        return _("Your visit has not begun yet. Please see reception.")
    if leading is Reason.WRONG_DIRECTION:
        return _("Please use another turnstile.")
    return _("Please see reception.")
