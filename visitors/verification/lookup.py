"""Live look-ups of visits: within a deadline, one for simultaneous scans of a code, and few at once per process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from portal.core.problems import Problem
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError
from portal.offision.types import Visit
from visitors.problems import LOOK_UP_FAILED, LOOK_UP_TIMED_OUT, TOO_MANY_LOOK_UPS

DEADLINE_SECONDS = 1.5
# Look-ups at once in a process. The web server's other threads stay free for other requests while Offision does not
# answer: a scan that gets no slot is denied at once.
MAX_LOOK_UPS = 4
SLOT_WAIT_SECONDS = 0.1
# Scans that may wait for another scan's look-up of the same code.
MAX_WAITING = 3


class LookUpError(Exception):
    """The portal made no look-up, or did not wait for its end. `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(slots=True)
class _LookUp:
    """One look-up in progress; its result is for every scan that waits for it."""

    done: threading.Event = field(default_factory=threading.Event)
    visit: Visit | None = None
    error: OffisionError | LookUpError | None = None


_waiting = threading.BoundedSemaphore(MAX_WAITING)
_slots = threading.BoundedSemaphore(MAX_LOOK_UPS)
_in_progress: dict[str, _LookUp] = {}
_lock = threading.Lock()


def look_up(code: str) -> Visit:
    """The visit with this code as Offision describes it now. Raises LookUpError and OffisionError, such as NotFound."""
    with _lock:
        lookup = _in_progress.get(code)
        is_first = lookup is None
        if lookup is None:
            lookup = _in_progress[code] = _LookUp()
    if is_first:
        _run(code, lookup)
    else:
        _wait_for(lookup)
    if lookup.error is not None:
        raise lookup.error
    assert lookup.visit is not None
    return lookup.visit


def _wait_for(lookup: _LookUp) -> None:
    """Wait for another scan's look-up. Few may wait: one code scanned at many lanes must not block every thread."""
    if lookup.done.wait(SLOT_WAIT_SECONDS):
        return
    if not _waiting.acquire(blocking=False):
        raise LookUpError(TOO_MANY_LOOK_UPS())
    try:
        if not lookup.done.wait(DEADLINE_SECONDS - SLOT_WAIT_SECONDS):
            raise LookUpError(LOOK_UP_TIMED_OUT())
    finally:
        _waiting.release()


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=SLOT_WAIT_SECONDS):
        raise LookUpError(TOO_MANY_LOOK_UPS())
    try:
        yield
    finally:
        _slots.release()


def _run(code: str, lookup: _LookUp) -> None:
    try:
        with _slot():
            lookup.visit = client_from_settings().visit(code, deadline_seconds=DEADLINE_SECONDS)
    except (OffisionError, LookUpError) as error:
        lookup.error = error
    finally:
        if lookup.visit is None and lookup.error is None:  # an unforeseen exception: release the waiting scans, too
            lookup.error = LookUpError(LOOK_UP_FAILED())
        with _lock:
            _in_progress.pop(code, None)
        lookup.done.set()
