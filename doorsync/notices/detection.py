"""The current issues, read from the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, OuterRef, Q, Subquery

from doorsync.controllers.result import SUSPEND_AFTER
from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.notices.decision import OFFISION, SEALS, SILENCE, SUBSCRIPTION, Kind, Subject
from doorsync.notices.problems import CALLS_STOPPED, CHANGES_NOT_STARTED, NEVER_CALLED
from portal.audit.models import SealCheck
from portal.core.problems import Problem, Problems

# Changes that no worker has started on for so long are drift.
NOT_STARTED_AFTER = timedelta(minutes=5)
# How many of the latest changes found by full resyncs are examined.
CHANGES_EXAMINED = 50


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that needs attention. `label` is the name of its object; "" for an object without a row."""

    problems: Problems
    label: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """The current issues, and the subjects of which nobody can tell: the drift behind a controller without answer."""

    issues: dict[Subject, Issue]
    unknown: frozenset[Subject]


def observe(now: datetime) -> Observation:
    """The issues at `now` (aware)."""
    issues: dict[Subject, Issue] = {}
    unknown: set[Subject] = set()
    state = SchedulerState.objects.get(pk=1)
    offision_fails = _offision_fails()
    _controllers(issues, unknown, now)
    _resources(issues, unknown, offision_fails=offision_fails)
    if offision_fails:
        issues[OFFISION] = Issue(state.offision_error)
        unknown.add(SUBSCRIPTION)
    elif state.subscription_error:
        issues[SUBSCRIPTION] = Issue(state.subscription_error)
    if silence := _silence(now):
        issues[SILENCE] = Issue(Problems([silence]))
    seal_check = SealCheck.objects.first()
    if seal_check is not None and seal_check.last_error:
        issues[SEALS] = Issue(seal_check.last_error)
    return Observation(issues, frozenset(unknown))


def _controllers(issues: dict[Subject, Issue], unknown: set[Subject], now: datetime) -> None:
    contested = set(UnmanagedCard.objects.filter(wanted=True).values_list("controller_id", flat=True))
    has_changes = Q(generation__gt=F("observed_generation"))
    is_late = Q(succeeded_at__lt=now - NOT_STARTED_AFTER)
    is_late |= Q(succeeded_at__isnull=True, created_at__lt=now - NOT_STARTED_AFTER)
    suspects = ControllerSync.objects.filter(
        Q(failures__gt=0) | Q(pending_plan__isnull=False) | Q(controller__in=contested) | (has_changes & is_late),
        controller__enabled=True,
    )
    for sync in suspects.select_related("controller").order_by("controller__name"):
        drift = Subject(Kind.DRIFT, f"controller:{sync.controller_id}")
        problems = sync.last_error
        if not sync.unreachable:
            issues[drift] = Issue(problems or Problems([CHANGES_NOT_STARTED()]), sync.controller.name)
            continue
        unknown.add(drift)
        if sync.unreachable >= SUSPEND_AFTER:
            issues[Subject(Kind.CONTROLLER, str(sync.controller_id))] = Issue(problems, sync.controller.name)


def _offision_fails() -> bool:
    """Whether most resources can't be fetched. Fewer are issues of their own: Offision may not know them."""
    rows = ResourceSync.objects.all()
    failing = rows.filter(failures__gt=0).count()
    return failing > 0 and 2 * failing > rows.count()


def _resources(issues: dict[Subject, Issue], unknown: set[Subject], *, offision_fails: bool) -> None:
    rows = ResourceSync.objects.filter(Q(failures__gt=0) | ~Q(pending_reason=[]), resource__doors__isnull=False)
    for sync in rows.select_related("resource").order_by("resource__name").distinct():
        subject = Subject(Kind.DRIFT, f"resource:{sync.resource_id}")
        if sync.failures and offision_fails:
            unknown.add(subject)
        else:
            reason = sync.last_error if sync.failures else sync.pending_reason
            issues[subject] = Issue(reason, sync.resource.name)


def _silence(now: datetime) -> Problem | None:
    """Why Offision seems to have stopped calling.

    Silence alone is normal: nobody books at night. It is an issue once a full resync finds a change without a call.
    """
    since = now - timedelta(hours=settings.NOTICE_NO_CALLBACK_HOURS)
    calls = Callback.objects.exclude(outcome=Callback.Outcome.TEST).order_by("-id")
    last_call = calls.values_list("received_at", flat=True).first()
    if (last_call is not None and last_call > since) or not any(_changes_without_a_call(since)):
        return None
    return NEVER_CALLED() if last_call is None else CALLS_STOPPED(hours=(now - last_call) // timedelta(hours=1))


def _changes_without_a_call(since: datetime) -> Iterator[bool]:
    """For each of the latest changes that full resyncs found: whether Offision should have called.

    Each day the horizon takes in another day: bookings found by the first fetch of a day are no change.
    """
    earlier = BookingFetch.objects.filter(
        resource=OuterRef("resource"),
        id__lt=OuterRef("id"),
        outcome__in=[BookingFetch.Outcome.CHANGED, BookingFetch.Outcome.UNCHANGED],
    ).order_by("-id")
    changes = BookingFetch.objects.filter(
        started_at__gt=since, cause="full_resync", outcome=BookingFetch.Outcome.CHANGED, resource__doors__isnull=False
    ).annotate(previous_at=Subquery(earlier.values("started_at")[:1]))
    latest = changes.order_by("-started_at").values_list("started_at", "previous_at", "resource__site__time_zone")
    for started_at, previous_at, time_zone in latest[:CHANGES_EXAMINED]:
        zone = ZoneInfo(time_zone)
        yield previous_at is not None and previous_at.astimezone(zone).date() == started_at.astimezone(zone).date()
