"""Look a visit up live: within a deadline, once for scans that come together, and never with every thread at it."""

import threading
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError, TryAgain
from portal.offision.types import Visit

DEADLINE_SECONDS = 1.5
# So many look-ups at once in a process; the web server's other threads stay free for other requests while Offision
# does not answer. Who finds no place is not kept waiting: the visitor is.
AT_ONCE = 4
PLACE_WAIT_SECONDS = 0.1
# And so many more that wait for another's look-up of the same code.
WAIT_AT_ONCE = 3


@dataclass(slots=True)
class _Flight:
    """One look-up under way, and what came of it for everybody who waits for it."""

    landed: threading.Event = field(default_factory=threading.Event)
    visit: Visit | None = None
    error: OffisionError | None = None


_waiting = threading.BoundedSemaphore(WAIT_AT_ONCE)
_places = threading.BoundedSemaphore(AT_ONCE)
_flights: dict[str, _Flight] = {}
_lock = threading.Lock()


def look_up(code: str) -> Visit:
    """The visit with this code, as Offision tells it now. Raises OffisionError; NotFound for an unknown code."""
    with _lock:
        flight = _flights.get(code)
        mine = flight is None
        if flight is None:
            flight = _flights[code] = _Flight()
    if mine:
        _fly(code, flight)
    else:
        _await(flight)
    if flight.error is not None:
        raise flight.error
    assert flight.visit is not None
    return flight.visit


def _await(flight: _Flight) -> None:
    """Until the look-up has landed. One code shown at many lanes must not take every thread, either."""
    if flight.landed.wait(PLACE_WAIT_SECONDS):
        return
    if not _waiting.acquire(blocking=False):
        raise TryAgain(_slow())
    try:
        if not flight.landed.wait(DEADLINE_SECONDS - PLACE_WAIT_SECONDS):
            raise TryAgain(_("Offision did not answer in time."))
    finally:
        _waiting.release()


def _slow() -> str:
    return _("Offision is slow: so many look-ups wait already that this one was not made.")


def _fly(code: str, flight: _Flight) -> None:
    try:
        if not _places.acquire(timeout=PLACE_WAIT_SECONDS):
            raise TryAgain(_slow())
        try:
            flight.visit = client_from_settings().visit(code, deadline_seconds=DEADLINE_SECONDS)
        finally:
            _places.release()
    except OffisionError as error:
        flight.error = error
    finally:
        if flight.visit is None and flight.error is None:  # something nobody foresaw: those who wait are told, too
            flight.error = TryAgain(_("The look-up failed."))
        with _lock:
            _flights.pop(code, None)
        flight.landed.set()
