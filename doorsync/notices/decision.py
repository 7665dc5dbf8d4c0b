"""What is wrong now, compared with what was told: what to tell, and when. Pure.

Nobody is told of what passes by itself. What is wrong is told once it has lasted for its kind's patience, and its end
once it has been over for a while: what comes back before then never ended. What keeps coming and going is left to the
daily digest, unless it stays.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from doorsync.models.notices import Kind

PATIENCE: Mapping[str, timedelta] = {
    Kind.DRIFT: timedelta(minutes=5),
    Kind.CONTROLLER: timedelta(minutes=2),
    Kind.CALLBACKS: timedelta(minutes=10),
    Kind.OFFISION: timedelta(minutes=10),
    Kind.SEALS: timedelta(0),  # it does not pass by itself
}
# It must have been well for so long before it counts as over.
CALM = timedelta(minutes=2)
# What was told so often within a while comes and goes: from then on it has to stay much longer to be told at once.
OFTEN, WITHIN = 3, timedelta(hours=12)
PATIENCE_WITH_THE_FICKLE = timedelta(hours=1)
# One message to a recipient in so much time, whatever happens: what comes in between goes into the next.
BETWEEN_MESSAGES = timedelta(minutes=5)


class Which(NamedTuple):
    """One object of one kind."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that is wrong just now."""

    which: Which
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is wrong just now, and what can't be judged: behind a dead controller nobody sees drift."""

    wrong: tuple[Wrong, ...]
    veiled: frozenset[Which] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of something that is, or was, wrong."""

    since: datetime
    told_at: datetime | None = None
    clear_since: datetime | None = None
    ended_at: datetime | None = None
    end_told_at: datetime | None = None
    worth_keeping: bool = True


def advanced(
    known: Known | None, *, kind: str, wrong: bool, veiled: bool, told_lately: int, now: datetime
) -> Known | None:
    """What is known at `now` (aware), after another look. None: nothing is.

    `known`: what was known of it before, if it had not ended; `told_lately`: how often its beginning was told WITHIN
    the last hours. What was over before its kind's patience was is not worth keeping.
    """
    if known is None:
        return Known(since=now) if wrong else None
    if wrong:
        known = replace(known, clear_since=None)
        patience = PATIENCE_WITH_THE_FICKLE if told_lately >= OFTEN else PATIENCE[kind]
        return replace(known, told_at=now) if known.told_at is None and now - known.since >= patience else known
    if veiled:
        return replace(known, clear_since=None)
    if known.clear_since is None:
        return replace(known, clear_since=now)
    if now - known.clear_since < CALM:
        return known
    return replace(
        known,
        ended_at=known.clear_since,
        end_told_at=now if known.told_at is not None else None,
        worth_keeping=known.clear_since - known.since >= PATIENCE[kind],
    )


def look(
    known: Mapping[Which, Known], seen: Seen, *, told_lately: Mapping[Which, int], now: datetime
) -> dict[Which, Known]:
    """What is known of everything that was or is wrong, after another look."""
    wrong: Set[Which] = {one.which for one in seen.wrong}
    found = {
        which: advanced(
            known.get(which),
            kind=which.kind,
            wrong=which in wrong,
            veiled=which in seen.veiled,
            told_lately=told_lately.get(which, 0),
            now=now,
        )
        for which in known.keys() | wrong
    }
    return {which: one for which, one in found.items() if one is not None}


def may_tell(message_at: datetime | None, now: datetime) -> bool:
    """Whether a recipient that was last sent something then may be sent something now."""
    return message_at is None or now - message_at >= BETWEEN_MESSAGES


def digest_due(digest_at: datetime, hour: int, zone: ZoneInfo, now: datetime) -> bool:
    """Whether the hour of the digest has come since the last one; local days of `zone`."""
    local = now.astimezone(zone)
    today = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    due = today if today <= local else today - timedelta(days=1)
    return digest_at < due
