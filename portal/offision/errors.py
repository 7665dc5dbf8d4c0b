"""What can go wrong between the portal and Offision, told apart by what to do next: try again, or never."""

from typing import ClassVar


class OffisionError(Exception):
    """Anything that kept an Offision operation from giving its answer.

    `summary` is a whole sentence for staff: what happened, to what, and what to do next. It never holds the
    access token, a registration code or an email. `retryable` says whether asking the same again can help.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, summary: str) -> None:
        super().__init__(summary)
        self.summary = summary


class TryAgain(OffisionError):
    """No usable answer now, and nothing is known about the outcome: time-out, no connection, 429 or 5xx."""

    retryable = True

    def __init__(self, summary: str, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds the server asked to wait, already capped, or None where it said nothing."""
        super().__init__(summary)
        self.retry_after = retry_after


class BreakerOpen(TryAgain):
    """Not asked at all: Offision failed several times in a row and is left alone for a while."""


class Never(OffisionError):
    """Asking the same again will give the same: somebody has to change something first."""


class Unauthorized(Never):
    """401 or 403: the access token is missing, wrong, withdrawn or not allowed to do this."""


class Refused(Never):
    """Any other 4xx, a redirect, or an envelope that says no."""

    def __init__(self, summary: str, *, status_code: int = 0) -> None:
        """`status_code`: the HTTP status, such as 409 where a visit's status does not allow a check-in."""
        super().__init__(summary)
        self.status_code = status_code


class NotUnderstood(Never):
    """An answer arrived that is not JSON, or that the contract does not fit."""


class TooLarge(Never):
    """The answer is larger, or has more pages, than the portal is willing to read."""


class NotFound(Never):
    """Offision does not know the resource, visit or subscription asked for."""


class OperationAbsent(Never):
    """The contract does not say how to do this."""


class ContractError(Never):
    """A contract file, or a setting of the connection, that cannot be used. The text names the key."""
