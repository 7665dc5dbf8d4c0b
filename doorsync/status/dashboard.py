"""Is all well? What needs attention now, each with the page where it is fixed. Shown on the home page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from doorsync.models import Callback, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.status import coverage, drift
from portal.audit.models import SealCheck

# Without a tick for this long, the worker counts as not running.
SILENT_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that needs attention: a sentence, and where to fix it."""

    sentence: str
    fix: str  # the text of the link
    url: str
    urgent: bool = False  # somebody may be standing at a door


@dataclass(frozen=True, slots=True)
class Facts:
    """When things last worked; None for never."""

    last_callback: datetime | None
    last_full_resync: datetime | None
    subscription: datetime | None


def facts() -> Facts:
    """The last callback, the last full resync, and when the subscription was last OK."""
    state = SchedulerState.objects.filter(pk=1).first()
    calls = Callback.objects.exclude(outcome=Callback.Outcome.TEST).order_by("-id")
    last = calls.values_list("received_at", flat=True).first()
    return Facts(last, state.full_resync_at if state else None, state.subscribed_at if state else None)


def notices(now: datetime, *, reads_log: bool = False) -> list[Notice]:
    """All that needs attention at `now` (aware), the urgent first; nothing where all is well.

    `reads_log`: whether they may read the audit log, and so see what is wrong with it.
    """
    attention = [*_of_the_portal(now), *_of_doors(now), *_of_approvals(), *_of_the_map(now)]
    if reads_log:
        attention += _of_the_log()
    return sorted(attention, key=lambda notice: not notice.urgent)


def _of_the_portal(now: datetime) -> Iterator[Notice]:
    state = SchedulerState.objects.filter(pk=1).first()
    page = reverse("admin:doorsync_schedulerstate_changelist")
    if state is None or state.ticked_at is None or now - state.ticked_at > SILENT_AFTER:
        yield Notice(
            _("The worker is silent: no booking reaches a door."), _("See when it last ticked"), page, urgent=True
        )
        return
    if state.late_since is not None:
        sentence = _("Some doors were last in order more than two full resyncs ago.")
        yield Notice(sentence, _("See which"), _list("controllersync", "?state=error"), urgent=True)
    if state.offision_error:
        sentence = _("Offision: %(why)s Bookings stay as they were.") % {"why": state.offision_error}
        yield Notice(sentence, _("See the fetches"), _list("bookingfetch", "?outcome__exact=failed"), urgent=True)
    if state.subscription_error:
        sentence = _("The subscription is not in order: %(why)s") % {"why": state.subscription_error}
        yield Notice(sentence, _("See its state"), page)


def _of_the_log() -> Iterator[Notice]:
    if broken := SealCheck.objects.exclude(last_error=[]).first():
        sentence = _("The seals of the audit log are broken: %(why)s") % {"why": broken.last_error}
        yield Notice(sentence, _("See the seals"), reverse("admin:audit_seal_changelist"), urgent=True)


def _of_doors(now: datetime) -> Iterator[Notice]:
    for sync in drift.controllers_out_of_reach().select_related("controller")[:10]:
        sentence = _("%(controller)s does not answer: %(why)s") % {
            "controller": sync.controller,
            "why": sync.last_error,
        }
        url = reverse("admin:doorsync_controllersync_change", args=[sync.pk])
        yield Notice(sentence, _("Look at it"), url, urgent=True)
    if doors := len(drift.doors_in_drift(now)):
        sentence = ngettext("%(n)d door is not in order.", "%(n)d doors are not in order.", doors) % {"n": doors}
        yield Notice(sentence, _("See the doors"), reverse("boards") + "?state=drift", urgent=True)


def _of_approvals() -> Iterator[Notice]:
    if lists := ResourceSync.objects.exclude(pending_reason=[]).count():
        sentence = ngettext(
            "%(n)d booking list waits for approval.",
            "%(n)d booking lists wait for approval.",
            lists,
        ) % {"n": lists}
        yield Notice(sentence, _("Decide"), _list("resourcesync", "?state=pending"), urgent=True)
    if plans := ControllerSync.objects.filter(pending_plan__isnull=False).count():
        sentence = ngettext(
            "%(n)d plan that takes much away waits for approval.",
            "%(n)d plans that take much away wait for approval.",
            plans,
        ) % {"n": plans}
        yield Notice(sentence, _("Decide"), _list("controllersync", "?state=pending"), urgent=True)


def _of_the_map(now: datetime) -> Iterator[Notice]:
    page = reverse("coverage")
    if people := len(coverage.people(now)):
        sentence = ngettext(
            "%(n)d person with a booking in the next two days has no card.",
            "%(n)d people with bookings in the next two days have no card.",
            people,
        ) % {"n": people}
        yield Notice(sentence, _("Give them cards"), f"{page}#people")
    if rooms := sum(1 for room in coverage.rooms(now) if room.first_at is not None):
        sentence = ngettext(
            "%(n)d resource is booked and has no door.", "%(n)d resources are booked and have no door.", rooms
        ) % {"n": rooms}
        yield Notice(sentence, _("Give them doors"), f"{page}#rooms")
    if wanted := UnmanagedCard.objects.filter(wanted=True).count():
        sentence = ngettext(
            "%(n)d card that bookings admit was not written into its controller by the portal, which leaves it.",
            "%(n)d cards that bookings admit were not written into their controllers by the portal, which leaves them.",
            wanted,
        ) % {"n": wanted}
        yield Notice(sentence, _("Adopt or leave them"), f"{page}#cards")


def _list(model: str, query: str) -> str:
    return reverse(f"admin:doorsync_{model}_changelist") + query
