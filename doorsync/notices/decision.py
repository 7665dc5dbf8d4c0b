"""When recipients are notified of an issue and of its end. Pure: no Django, no database.

An issue is notified once it has lasted for the delay of its kind, so a short interruption notifies nobody. Its end is
notified once it has stayed clear for CLEAR_AFTER; an issue that returns before then has not ended. A subject that flaps
is left to the daily digest, unless its issue lasts.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Kind(StrEnum):
    """The kinds of issues. A recipient chooses among them."""

    DRIFT = "drift"
    CONTROLLER = "controller"
    CALLBACKS = "callbacks"
    OFFISION = "offision"
    SEALS = "seals"


# How long an issue lasts before it is notified.
NOTIFY_AFTER: Mapping[str, timedelta] = {
    Kind.DRIFT: timedelta(minutes=5),
    Kind.CONTROLLER: timedelta(minutes=2),
    Kind.CALLBACKS: timedelta(minutes=10),
    Kind.OFFISION: timedelta(minutes=10),
    Kind.SEALS: timedelta(0),  # a broken seal does not repair itself
}
# How long a subject stays clear before its issue has ended.
CLEAR_AFTER = timedelta(minutes=2)
# A subject flaps when it was notified FLAPPING_COUNT times within FLAPPING_WINDOW. Its next issue waits much longer.
FLAPPING_COUNT, FLAPPING_WINDOW = 3, timedelta(hours=12)
NOTIFY_AFTER_WHEN_FLAPPING = timedelta(hours=1)
# The shortest time between two messages to one recipient. Events in between go into the next message.
MESSAGE_INTERVAL = timedelta(minutes=5)


class Subject(NamedTuple):
    """What an issue is about: one object (`key`) of one kind."""

    kind: str
    key: str


# The subjects that no row of the database stands for.
SUBSCRIPTION = Subject(Kind.CALLBACKS, "subscription")
SILENCE = Subject(Kind.CALLBACKS, "silence")
OFFISION = Subject(Kind.OFFISION, "offision")
SEALS = Subject(Kind.SEALS, "seals")


@dataclass(frozen=True, slots=True)
class State:
    """How far an issue and its notifications are. All times aware."""

    since: datetime
    notified_at: datetime | None = None
    clear_since: datetime | None = None
    ended_at: datetime | None = None
    end_notified_at: datetime | None = None


def next_state(
    state: State | None, *, kind: str, has_issue: bool, unknown: bool, recent_notices: int, now: datetime
) -> State | None:
    """The state at `now` (aware), after another look. None: there is no issue, or it ended before NOTIFY_AFTER.

    `state`: of an issue that has not ended. `unknown`: nobody can tell whether there is an issue, so it neither starts
    nor ends. `recent_notices`: how often the subject was notified within FLAPPING_WINDOW.
    """
    if state is None:
        return State(since=now) if has_issue else None
    if has_issue:
        state = replace(state, clear_since=None)
        delay = NOTIFY_AFTER_WHEN_FLAPPING if recent_notices >= FLAPPING_COUNT else NOTIFY_AFTER[kind]
        is_due = state.notified_at is None and now - state.since >= delay
        return replace(state, notified_at=now) if is_due else state
    if unknown:
        return replace(state, clear_since=None)
    if state.clear_since is None:
        return replace(state, clear_since=now)
    if now - state.clear_since < CLEAR_AFTER:
        return state
    if state.clear_since - state.since < NOTIFY_AFTER[kind]:
        return None
    return replace(state, ended_at=state.clear_since, end_notified_at=now if state.notified_at is not None else None)


def next_states(
    states: Mapping[Subject, State],
    *,
    issues: Set[Subject],
    unknown: Set[Subject],
    recent_notices: Mapping[Subject, int],
    now: datetime,
) -> dict[Subject, State | None]:
    """The next state of every subject that has, or had, an issue; see next_state."""
    return {
        subject: next_state(
            states.get(subject),
            kind=subject.kind,
            has_issue=subject in issues,
            unknown=subject in unknown,
            recent_notices=recent_notices.get(subject, 0),
            now=now,
        )
        for subject in states.keys() | issues
    }


def may_send(last_message_at: datetime | None, now: datetime) -> bool:
    """Whether MESSAGE_INTERVAL has passed since the recipient's last message."""
    return last_message_at is None or now - last_message_at >= MESSAGE_INTERVAL


def digest_due(last_digest_at: datetime, hour: int, zone: ZoneInfo, now: datetime) -> bool:
    """Whether `hour` (0 to 23, in `zone`) has come since the last digest."""
    local = now.astimezone(zone)
    today = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    due = today if today <= local else today - timedelta(days=1)
    return last_digest_at < due
