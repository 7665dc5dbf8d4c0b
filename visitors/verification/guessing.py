"""Guessing of codes: after so many unknown ones in a minute, only codes that are known already are looked up.

A process remembers for a minute that a device (or all together) is throttled, so that guesses cost nothing then.
How many unknown codes there were, the database knows.
"""

import threading
import time
from collections import Counter
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from portal.audit.models import Entry, Outcome, record
from visitors.models import ThrottledScans, Turnstile, Verification

log = structlog.get_logger(__name__)

# In a minute. A person who holds up a wrong code tries it a few times.
UNKNOWN_PER_DEVICE = 20
UNKNOWN_OVERALL = 200
MINUTE = timedelta(minutes=1)
TRY_EVERY = timedelta(seconds=3)
ALARM_AGAIN_AFTER = timedelta(minutes=10)
_UNKNOWN = Q(reasons__contains=["unknown_code"]) | Q(reasons__contains=["malformed"])

_closed_until: dict[int | None, float] = {}  # by turnstile (primary key), None: all; time.monotonic()
_next_try: dict[int, float] = {}
_turned_away: Counter[tuple[int, datetime]] = Counter()
_timer: threading.Timer | None = None
_lock = threading.Lock()


def is_closed(turnstile: Turnstile) -> bool:
    """Whether unknown codes are turned away unlooked-at now, at this turnstile."""
    now = time.monotonic()
    if not any(_closed_until.get(key, 0.0) > now for key in (turnstile.pk, None)):
        return False
    # One code in a while is looked up all the same: a visitor who comes after the guesser gets in.
    if _next_try.get(turnstile.pk, 0.0) > now:
        return True
    _next_try[turnstile.pk] = now + TRY_EVERY.total_seconds()
    return False


def note_unknown(turnstile: Turnstile, now: datetime) -> None:
    """An unknown code was written down; close where that was one too many."""
    recent = Verification.objects.filter(_UNKNOWN, at__gt=now - MINUTE)
    if recent.filter(turnstile=turnstile).count() >= UNKNOWN_PER_DEVICE:
        _close(turnstile, now)
    if recent.count() >= UNKNOWN_OVERALL:
        _close(None, now)


@transaction.atomic
def _close(turnstile: Turnstile | None, now: datetime) -> None:
    _closed_until[turnstile.pk if turnstile else None] = time.monotonic() + MINUTE.total_seconds()
    if turnstile:
        _next_try[turnstile.pk] = time.monotonic() + TRY_EVERY.total_seconds()
    told = Entry.objects.filter(action="visitors.guessing", at__gt=now - ALARM_AGAIN_AFTER)
    if told.filter(object_id=str(turnstile.pk) if turnstile else "").exists():
        return
    sentence = (
        _("Over %(n)d unknown codes in a minute at %(turnstile)s: codes are being guessed, or its scanner is broken.")
        % {"n": UNKNOWN_PER_DEVICE, "turnstile": turnstile}
        if turnstile
        else _("Over %(n)d unknown codes in a minute at all turnstiles together: codes are being guessed.")
        % {"n": UNKNOWN_OVERALL}
    )
    record(actor="portal", action="visitors.guessing", on=turnstile, outcome=Outcome.REFUSED, reasons=[sentence])
    log.error(sentence)


def count_turned_away(turnstile: Turnstile, now: datetime) -> None:
    """One scan was turned away. Counted here, and written down together with others within a second."""
    global _timer
    with _lock:
        _turned_away[turnstile.pk, now.replace(second=0, microsecond=0)] += 1
        if _timer is None:
            _timer = threading.Timer(1.0, _write_down_and_close)
            _timer.daemon = True
            _timer.start()


def _write_down_and_close() -> None:
    try:
        write_down()
    finally:
        connection.close()  # this thread's own, and the thread ends


def write_down() -> None:
    """Write the counts down that have come together."""
    global _timer
    with _lock:
        counts = dict(_turned_away)
        _turned_away.clear()
        _timer = None
    for (turnstile, minute), count in counts.items():
        _row, made = ThrottledScans.objects.get_or_create(
            turnstile_id=turnstile, minute=minute, defaults={"count": count}
        )
        if not made:
            ThrottledScans.objects.filter(turnstile=turnstile, minute=minute).update(count=F("count") + count)


def forget() -> None:
    """Open again everywhere. For tests."""
    _closed_until.clear()
    _next_try.clear()
    _turned_away.clear()
