"""What can go wrong at a controller. The class of an error decides what happens next; its problem is for staff."""

from portal.core.problems import Problem


class DriverError(Exception):
    """Something went wrong at a controller. `problem` says what and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


class BadOptions(DriverError):
    """The controller's options do not fit its driver. Trying again is of no use."""


class Unreachable(DriverError):
    """The controller was not reached: nothing was changed."""


class Unknown(DriverError):
    """No answer in time: the change may have been made or not. Read back before acting again."""


class Refused(DriverError):
    """The controller refused: nothing was changed."""


class Full(Refused):
    """The controller has no room for another card."""
