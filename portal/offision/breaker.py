"""A circuit breaker: after several failures in a row, requests fail at once for a while."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from portal.core.problems import Problem
from portal.offision.errors import BreakerOpen, Never, TryAgain

T = TypeVar("T")


class Breaker:
    """Opens for `seconds` once `failures` requests in a row raised TryAgain; then one trial decides.

    Never is an answer. Requests of several threads run side by side, except the trial.
    """

    def __init__(self, *, failures: int = 5, seconds: float = 30) -> None:
        self._most_failures, self.seconds = failures, seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._problem: Problem | None = None  # what opened it; None while it is closed
        self._trial_at = 0.0  # time.monotonic()
        self._trial_runs = False

    @property
    def is_open(self) -> bool:
        return self._problem is not None

    def call(self, request: Callable[[], T]) -> T:
        """The request's result. Raises BreakerOpen, without a request, while the breaker is open."""
        is_trial = self._admit()
        try:
            result = request()
        except BaseException as error:
            self._count(error, is_trial=is_trial)
            raise
        self._count(None, is_trial=is_trial)
        return result

    def _admit(self) -> bool:
        """Whether the request is the trial."""
        with self._lock:
            if self._problem is None:
                return False
            if self._trial_runs or time.monotonic() < self._trial_at:
                raise BreakerOpen(self._problem)
            self._trial_runs = True
            return True

    def _count(self, error: BaseException | None, *, is_trial: bool) -> None:
        with self._lock:
            if is_trial:
                self._trial_runs = False
            elif self.is_open:  # the request began before
                return
            if error is None or isinstance(error, Never):
                self._failures, self._problem = 0, None
            elif isinstance(error, TryAgain):
                self._failures += 1
                if is_trial or self._failures >= self._most_failures:
                    self._problem, self._trial_at = error.problem, time.monotonic() + self.seconds
