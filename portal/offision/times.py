"""Moments as servers write them, and the effect of a clock change on those without an offset.

A wall-clock time without an offset has two readings where clocks change: in a fold (clocks go back, an hour happens
twice) and in a gap (clocks go forward, an hour never happens). The rule for a span: of all readings in which it ends
after it starts, the shortest; of equally short ones, the latest. So a span never lasts longer than its shortest
possible reading, and a meeting wholly within a doubled hour keeps its length. A single limit is read on its own: a
start as the later reading, an end as the earlier.
"""

import math
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.offision.contract import Times


def readings(value: Any, times: Times, site: ZoneInfo) -> tuple[datetime, ...]:
    """The moments, in UTC, that `value` can mean: one, or two where clocks change, the earlier first.

    `site` is the site's time zone. Raises ValueError where `value` is no moment in the contract's format.
    """
    try:
        if times.format == "iso":
            return _iso(value, times.zone(site))
        return (_epoch(value, 1 if times.format == "epoch_seconds" else 1000),)
    except (OverflowError, OSError) as error:
        raise ValueError("out of range") from error


def _iso(value: Any, zone: ZoneInfo) -> tuple[datetime, ...]:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("no ISO 8601 time")
    moment = datetime.fromisoformat(value.strip())
    if moment.tzinfo is not None:
        return (moment.astimezone(UTC),)
    both = {moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return tuple(sorted(both))


def _epoch(value: Any, per_second: int) -> datetime:
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    number = float(value) if plain else math.nan
    if not math.isfinite(number):
        raise ValueError("no number")
    return datetime.fromtimestamp(number / per_second, UTC)


def span(starts: tuple[datetime, ...], ends: tuple[datetime, ...]) -> tuple[datetime, datetime] | None:
    """The start and end by the rule above; None where no reading ends after it starts."""
    possible = [(start, end) for start in starts for end in ends if start < end]
    return min(possible, key=lambda pair: (pair[1] - pair[0], -pair[0].timestamp()), default=None)
