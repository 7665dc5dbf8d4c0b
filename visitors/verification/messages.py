"""What a display may say: generic, for whoever stands behind the visitor reads it, too."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from visitors.verification.decision import Reason

_FAULTS = {Reason.UPSTREAM_UNAVAILABLE, Reason.UPSTREAM_MISMATCH, Reason.DEVICE_DISABLED, Reason.DOOR_NOT_OPENED}
_TRY_LATER = {Reason.THROTTLED}
_READING = {Reason.MALFORMED, Reason.UNKNOWN_CODE}


def message(allowed: bool, reasons: Sequence[str]) -> str:
    """One short sentence for the visitor, in the language of the request."""
    if allowed:
        return _("Please pass.")
    leading = Reason(reasons[0])
    if leading in _FAULTS:
        return _("Out of order. Please see reception.")
    if leading in _READING:
        return _("The code was not recognised. Please try again or see reception.")
    if leading in _TRY_LATER:
        return _("Please wait a minute, or see reception.")
    if leading is Reason.NOT_YET_VALID:
        return _("Your visit has not begun yet. Please see reception.")
    if leading is Reason.WRONG_DIRECTION:
        return _("Please use another gate.")
    return _("Please see reception.")
