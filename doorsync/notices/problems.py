"""What is wrong just now, read from the database."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext as _

from doorsync.controllers.result import SUSPEND_AFTER
from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.models.callbacks import TEST_CALL
from doorsync.models.notices import Kind
from doorsync.notices.decision import Seen, Which, Wrong
from portal.audit.models import SealCheck

# What is asked for and not even begun for so long is drift, too.
NOT_BEGUN_AFTER = timedelta(minutes=5)
# So many changes that no call told of are looked at.
LOOKED_AT = 50


def seen(now: datetime) -> Seen:
    """All that is wrong at `now` (aware), and what can't be judged."""
    state = SchedulerState.objects.get(pk=1)
    wrong: list[Wrong] = []
    veiled: set[Which] = set()
    _controllers(wrong, veiled, now)
    failing = _offision_fails()
    if failing:
        wrong.append(Wrong(Which(Kind.OFFISION, "offision"), "Offision", state.offision_error))
    _resources(wrong, veiled, failing=failing)
    subscription = Which(Kind.CALLBACKS, "subscription")
    if failing:
        veiled.add(subscription)
    elif state.subscription_error:
        wrong.append(Wrong(subscription, _("The subscription"), state.subscription_error))
    if why := _no_callbacks(now):
        wrong.append(Wrong(Which(Kind.CALLBACKS, "silence"), _("Offision's calls"), why))
    if broken := SealCheck.objects.exclude(last_error=[]).first():
        wrong.append(Wrong(Which(Kind.SEALS, "seals"), _("the audit log"), str(broken.last_error)))
    return Seen(tuple(wrong), frozenset(veiled))


def _controllers(wrong: list[Wrong], veiled: set[Which], now: datetime) -> None:
    contested = set(UnmanagedCard.objects.filter(wanted=True).values_list("controller_id", flat=True))
    late = Q(generation__gt=F("observed_generation"), succeeded_at__lt=now - NOT_BEGUN_AFTER)
    late |= Q(generation__gt=F("observed_generation"), succeeded_at__isnull=True, created_at__lt=now - NOT_BEGUN_AFTER)
    doubtful = ControllerSync.objects.filter(
        Q(failures__gt=0) | Q(pending_plan__isnull=False) | Q(controller__in=contested) | late, controller__enabled=True
    )
    for sync in doubtful.select_related("controller").order_by("controller__name"):
        drift = Which(Kind.DRIFT, f"controller:{sync.controller_id}")
        label = sync.controller.name
        if sync.unreachable:
            veiled.add(drift)
            if sync.unreachable >= SUSPEND_AFTER:
                wrong.append(Wrong(Which(Kind.CONTROLLER, str(sync.controller_id)), label, sync.last_error))
        else:
            why = sync.last_error or _("Changes are waiting, and nobody has begun with them.")
            wrong.append(Wrong(drift, label, why))


def _offision_fails() -> bool:
    """Whether most resources can't be fetched: one that Offision does not know is that one's trouble alone."""
    rows = ResourceSync.objects.all()
    failing = rows.filter(failures__gt=0).count()
    return failing > 0 and 2 * failing > rows.count()


def _resources(wrong: list[Wrong], veiled: set[Which], *, failing: bool) -> None:
    rows = ResourceSync.objects.filter(Q(failures__gt=0) | ~Q(pending_reason=""), resource__doors__isnull=False)
    for sync in rows.select_related("resource").order_by("resource__name").distinct():
        which = Which(Kind.DRIFT, f"resource:{sync.resource_id}")
        if sync.failures and failing:
            veiled.add(which)
        else:
            wrong.append(Wrong(which, sync.resource.name, sync.last_error if sync.failures else sync.pending_reason))


def _no_callbacks(now: datetime) -> str:
    """Why Offision seems to have stopped calling; "" where nothing speaks for that.

    Silence alone is no sign: nobody books at night. A change that only a full pass has found is one.
    """
    hours = settings.NOTICE_NO_CALLBACK_HOURS
    since = now - timedelta(hours=hours)
    last = Callback.objects.exclude(content_type=TEST_CALL).order_by("-id").values_list("received_at", flat=True)
    last_call = last.first()
    if last_call is not None and last_call > since:
        return ""
    if not any(_found_without_a_call(since)):
        return ""
    if last_call is None:
        return _("Offision has never called, and full passes find bookings that have changed.")
    return _("Offision has not called for %(n)d hours, and full passes find bookings that have changed.") % {
        "n": (now - last_call).total_seconds() // 3600
    }


def _found_without_a_call(since: datetime) -> Iterator[bool]:
    """Of the latest changes that full passes have found: whether each is one that Offision should have told.

    On a new day another day's bookings are fetched for the first time: that is no change of theirs.
    """
    before = BookingFetch.objects.filter(
        resource=OuterRef("resource"),
        id__lt=OuterRef("id"),
        outcome__in=[BookingFetch.Outcome.CHANGED, BookingFetch.Outcome.UNCHANGED],
    ).order_by("-id")
    found = BookingFetch.objects.filter(
        started_at__gt=since, cause="full_resync", outcome=BookingFetch.Outcome.CHANGED, resource__doors__isnull=False
    ).annotate(before=Subquery(before.values("started_at")[:1]))
    looked_at = found.order_by("-started_at").values_list("started_at", "before", "resource__site__time_zone")
    for started_at, previous, name in looked_at[:LOOKED_AT]:
        zone = ZoneInfo(name)
        yield previous is not None and previous.astimezone(zone).date() == started_at.astimezone(zone).date()
