"""The one clock of the domain. Everything that asks "what time is it?" asks here, so a test can set it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.utils import timezone


def _system_clock() -> datetime:
    return datetime.now(UTC)


_clock: Callable[[], datetime] = _system_clock


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _clock()


def local(moment: datetime) -> str:
    """A moment (aware) as people read it: in the zone of the pages, to the second."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


@contextmanager
def stopped_at(moment: datetime) -> Iterator[None]:
    """Stop the clock at an aware moment, for as long as the block runs. For tests and rehearsals.

    Raises ValueError for a naive moment.
    """
    global _clock
    if moment.tzinfo is None:
        raise ValueError("The clock needs an aware moment.")
    before, _clock = _clock, lambda: moment.astimezone(UTC)
    try:
        yield
    finally:
        _clock = before
