"""Guessing of codes: after too many unknown codes in a minute, only known codes are looked up for the next minute.

The database counts the unknown codes. Each process remembers for how long a turnstile, or all of them, are throttled,
so that a guess costs nothing meanwhile.
"""

import threading
import time
from collections import Counter
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Q

from portal.audit.models import Entry, Outcome, record
from visitors.models import Turnstile, Verification
from visitors.problems import GUESSING_AT_TURNSTILE, GUESSING_OVERALL

log = structlog.get_logger(__name__)

# Unknown codes in a minute. A person with a wrong code tries it a few times.
UNKNOWN_PER_DEVICE = 20
UNKNOWN_OVERALL = 200
MINUTE = timedelta(minutes=1)
# While throttled, one unknown code in this time is looked up: a visitor after the guesser gets in.
TRY_EVERY = timedelta(seconds=3)
ALARM_AGAIN_AFTER = timedelta(minutes=10)
WRITE_COUNTS_EVERY = timedelta(seconds=1)
_UNKNOWN = Q(reasons__contains=["unknown_code"]) | Q(reasons__contains=["malformed"])

# Times are time.monotonic(); keys are primary keys of turnstiles, None stands for all turnstiles.
_throttled_until: dict[int | None, float] = {}
_next_try_at: dict[int, float] = {}
_counts: Counter[tuple[int, datetime]] = Counter()
_counts_written_at = 0.0
_lock = threading.Lock()

# No row for a turnstile that was deleted meanwhile.
_ADD_COUNT = """
    INSERT INTO visitors_throttledscans AS scans (turnstile_id, minute, count)
    SELECT id, %s, %s FROM visitors_turnstile WHERE id = %s FOR KEY SHARE
    ON CONFLICT (turnstile_id, minute) DO UPDATE SET count = scans.count + EXCLUDED.count
"""


def is_throttled(turnstile: Turnstile) -> bool:
    """Whether an unknown code at this turnstile is rejected without a look-up now."""
    now = time.monotonic()
    if not any(_throttled_until.get(key, 0.0) > now for key in (turnstile.pk, None)):
        return False
    if _next_try_at.get(turnstile.pk, 0.0) > now:
        return True
    _next_try_at[turnstile.pk] = now + TRY_EVERY.total_seconds()
    return False


def unknown_code_scanned(turnstile: Turnstile, now: datetime) -> None:
    """A verification of an unknown code was stored: throttle its turnstile, or all, if there are too many."""
    recent = Verification.objects.filter(_UNKNOWN, at__gt=now - MINUTE)
    if recent.filter(turnstile=turnstile).count() >= UNKNOWN_PER_DEVICE:
        _throttle(turnstile, now)
    if recent.count() >= UNKNOWN_OVERALL:
        _throttle(None, now)


def _throttle(turnstile: Turnstile | None, now: datetime) -> None:
    _throttled_until[turnstile.pk if turnstile else None] = time.monotonic() + MINUTE.total_seconds()
    if turnstile:
        _next_try_at[turnstile.pk] = time.monotonic() + TRY_EVERY.total_seconds()
    alarms = Entry.objects.filter(action="visitors.guessing", at__gt=now - ALARM_AGAIN_AFTER)
    if alarms.filter(object_id=str(turnstile.pk) if turnstile else "").exists():
        return
    alarm = (
        GUESSING_AT_TURNSTILE(n=UNKNOWN_PER_DEVICE, turnstile=turnstile.name)
        if turnstile
        else GUESSING_OVERALL(n=UNKNOWN_OVERALL)
    )
    with transaction.atomic():
        record(actor="portal", action="visitors.guessing", on=turnstile, outcome=Outcome.REFUSED, reasons=[alarm])
    log.error("codes are being guessed", turnstile=turnstile and turnstile.name)


def count_rejected(turnstile: Turnstile, now: datetime) -> None:
    """Count one rejected scan, in this process; see write_counts_if_due."""
    with _lock:
        _counts[turnstile.pk, now.replace(second=0, microsecond=0)] += 1
    write_counts_if_due()


def write_counts_if_due() -> None:
    """Store the counts of this process, at most once a second. Every scan calls this."""
    global _counts_written_at
    with _lock:
        if not _counts or time.monotonic() < _counts_written_at + WRITE_COUNTS_EVERY.total_seconds():
            return
        counts = dict(_counts)
        _counts.clear()
        _counts_written_at = time.monotonic()
    with connection.cursor() as cursor:
        for (turnstile_id, minute), count in counts.items():
            cursor.execute(_ADD_COUNT, [minute, count, turnstile_id])


def reset() -> None:
    """Forget everything that this process remembers. For tests."""
    global _counts_written_at
    _throttled_until.clear()
    _next_try_at.clear()
    _counts.clear()
    _counts_written_at = 0.0
