"""Why Offision gave no usable answer. The two kinds differ in what to do next: try again, or change something."""

from typing import ClassVar

from portal.core.problems import Problem


class OffisionError(Exception):
    """An Offision operation without its result.

    `problem` says to staff what happened, to what, and what to do next. It never holds the access token, a
    registration code or an email. `retryable`: whether the same request can succeed later.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


class TryAgain(OffisionError):
    """No usable answer now, and the outcome is not known: time-out, no connection, 429 or 5xx."""

    retryable = True

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds the server asked to wait, already capped, or None where it named none."""
        super().__init__(problem)
        self.retry_after = retry_after


class BreakerOpen(TryAgain):
    """Nothing was sent: Offision failed several times in a row. The problem is that of the last failure."""


class Never(OffisionError):
    """The same request will fail again: a person has to change something first."""


class Unauthorized(Never):
    """401 or 403: the access token is missing, wrong, withdrawn or not allowed to do this."""


class Refused(Never):
    """Any other 4xx, a redirect, or an envelope that says no."""

    def __init__(self, problem: Problem, *, status_code: int = 0) -> None:
        """`status_code`: the HTTP status, such as 409 where a visit's status does not allow a check-in."""
        super().__init__(problem)
        self.status_code = status_code


class NotUnderstood(Never):
    """The answer is not JSON, or the contract does not fit it."""


class TooLarge(Never):
    """The answer is larger, or has more pages, than the portal reads."""


class NotFound(Never):
    """Offision does not know the resource, visit or subscription."""


class OperationAbsent(Never):
    """The contract does not describe the operation."""


class ContractError(Never):
    """A contract file, or a setting of the connection, that cannot be used. The problem names the key."""


class Invalid(ValueError):
    """A value that a contract, or a record, cannot have."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem
