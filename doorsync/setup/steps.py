"""The steps from nothing to the first door, and the state of each. `steps` is pure; `facts_at` reads what it needs.

The setup stores nothing of its own: the state of a step follows from the settings and the database. Anybody can leave
it at any step and continue it later, and a step that breaks shows that it is broken.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accessmap.models import AccessPolicy, Card, Controller, Door, Resource, ResourceDoor, Site
from doorsync.models import Callback, ControllerCard, ControllerSync, SchedulerState, UnmappedResource
from portal.audit.models import Entry, Outcome
from portal.core.clock import local
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError

CHECKED = "contract.check"  # the audit event: who checked the contract when, and the outcome
# A worker that has not ticked for so long does not run.
SILENT_AFTER = timedelta(minutes=1)


class State(StrEnum):
    DONE = "done"
    TODO = "todo"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its state, in a sentence, and what to do next ("" if nothing is to be done)."""

    key: str
    title: str
    state: State
    sentence: str
    remedy: str = ""

    @property
    def done(self) -> bool:
        return self.state is State.DONE


@dataclass(frozen=True, slots=True)
class Check:
    """The last check of the contract against the server."""

    at: datetime
    fits: bool
    sentence: str
    is_current: bool  # neither the address nor the contract has changed since


@dataclass(frozen=True, slots=True)
class Facts:
    ticked_at: datetime | None
    offision_url: str
    connection_problem: str  # why the settings make no client
    public_url: str
    check: Check | None
    subscribed_at: datetime | None
    subscription_error: str
    called_at: datetime | None  # by Offision; the portal's own test calls don't count
    has_site: bool
    has_controller: bool
    has_enabled: bool
    reconciled: str  # the name of a controller that was reconciled once
    controller_problem: str
    has_door: bool
    has_policy: bool
    has_card: bool  # of a cardholder with an email, and usable
    mapped: str  # the name of a resource with a door
    unmapped: int
    confirmed: bool  # a controller was read, and holds a card's permission


def facts_at(now: datetime) -> Facts:
    """The facts from which the steps' states follow, at `now` (aware)."""
    state = SchedulerState.objects.filter(pk=1).first() or SchedulerState()
    syncs = ControllerSync.objects.filter(controller__enabled=True).order_by("controller__name")
    reconciled = syncs.filter(succeeded_at__isnull=False).values_list("controller__name", flat=True).first()
    problem = next(filter(None, syncs.values_list("last_error", flat=True)), "")
    calls = Callback.objects.exclude(outcome=Callback.Outcome.TEST).order_by("-id")
    return Facts(
        ticked_at=state.ticked_at,
        offision_url=settings.OFFISION_URL,
        connection_problem=_connection_problem(),
        public_url=settings.PORTAL_PUBLIC_URL,
        check=_last_check(),
        subscribed_at=state.subscribed_at,
        subscription_error=str(state.subscription_error),
        called_at=calls.values_list("received_at", flat=True).first(),
        has_site=Site.objects.exists(),
        has_controller=Controller.objects.exists(),
        has_enabled=Controller.objects.filter(enabled=True).exists(),
        reconciled=reconciled or "",
        controller_problem=str(problem),
        has_door=Door.objects.exists(),
        has_policy=AccessPolicy.objects.exists(),
        has_card=Card.usable(now).exclude(cardholder__email="").exists(),
        mapped=ResourceDoor.objects.values_list("resource__name", flat=True).first() or "",
        unmapped=UnmappedResource.objects.exclude(external_id__in=Resource.objects.values("external_id")).count(),
        confirmed=ControllerCard.objects.filter(state=ControllerCard.State.IN_STEP, confirmed_at__isnull=False)
        .exclude(desired={})
        .exists(),
    )


def undone(now: datetime) -> int:
    """How many steps are not done at `now` (aware). For the home page's link."""
    return sum(not step.done for step in steps(facts_at(now), now))


def fingerprint() -> str:
    """A hash of the server's address and the contract: when one changes, the contract must be checked again."""
    try:
        contract = settings.OFFISION_CONTRACT.read_bytes()
    except OSError:
        contract = b""
    return hashlib.sha256(settings.OFFISION_URL.encode() + b"\n" + contract).hexdigest()[:16]


def _connection_problem() -> str:
    if not settings.OFFISION_URL:
        return ""
    try:
        client_from_settings()
    except OffisionError as error:
        return str(error)
    return ""


def _last_check() -> Check | None:
    entry = Entry.objects.filter(action=CHECKED).order_by("-id").first()
    if entry is None:
        return None
    return Check(
        at=entry.at,
        fits=entry.outcome == Outcome.DONE,
        sentence=str(entry.reasons),
        is_current=entry.detail.get("fingerprint") == fingerprint(),
    )


def steps(facts: Facts, now: datetime) -> tuple[Step, ...]:
    """Every step in its order, with its state at `now` (aware)."""
    return tuple(_steps(facts, now))


def _steps(facts: Facts, now: datetime) -> Iterator[Step]:
    yield _worker(facts, now)
    yield _settings(facts)
    yield _contract(facts)
    yield _subscription(facts)
    yield _callback(facts)
    yield _one("site", _("A site"), done=facts.has_site, remedy=_("Add the building and its time zone."))
    yield _controller(facts)
    yield _one(
        "door",
        _("Its doors"),
        done=facts.has_door,
        remedy=_("Add the doors on the controller's page, with the numbers that the controller gives them."),
    )
    yield _one(
        "policy",
        _("An access policy"),
        done=facts.has_policy,
        remedy=_("Choose whom a booking admits, and how early and how late."),
    )
    yield _one(
        "cardholder",
        _("A cardholder with a card"),
        done=facts.has_card,
        remedy=_("Add yourself, with your email in Offision and a card that the readers can read."),
    )
    yield _resource(facts)
    yield _permission(facts)


def _one(key: str, title: str, *, done: bool, remedy: str) -> Step:
    if done:
        return Step(key, title, State.DONE, _("There is one."))
    return Step(key, title, State.TODO, _("There is none yet."), remedy)


def _worker(facts: Facts, now: datetime) -> Step:
    title = _("The worker")
    if facts.ticked_at is not None and now - facts.ticked_at <= SILENT_AFTER:
        return Step("worker", title, State.DONE, _("It is running."))
    sentence = (
        _("It has never ticked.")
        if facts.ticked_at is None
        else _("It has not ticked since %(time)s.") % {"time": local(facts.ticked_at)}
    )
    remedy = _("Start the worker with beat: by docker compose, or manage.py run. Nothing happens without it.")
    return Step("worker", title, State.FAILED, sentence, remedy)


def _settings(facts: Facts) -> Step:
    title = _("Offision's address and token")
    if not facts.offision_url:
        sentence = _("OFFISION_URL is not set.")
        return Step("settings", title, State.TODO, sentence, _("Write both into .env, and restart the portal."))
    if facts.connection_problem:
        remedy = _("Correct it in .env, and restart the portal.")
        return Step("settings", title, State.FAILED, facts.connection_problem, remedy)
    if not can_be_called(facts.public_url, facts.offision_url):
        sentence = _("PORTAL_PUBLIC_URL is %(url)s. Offision can't call that.") % {"url": facts.public_url}
        remedy = _("Write the HTTPS address at which Offision reaches the portal into .env, and restart it.")
        return Step("settings", title, State.FAILED, sentence, remedy)
    host = urlsplit(facts.offision_url).netloc
    return Step("settings", title, State.DONE, _("Both are set. Offision is at %(host)s.") % {"host": host})


def can_be_called(public_url: str, offision_url: str) -> bool:
    """Whether a call from Offision's machine can arrive at this address."""
    if urlsplit(public_url).hostname in _HERE:
        return urlsplit(offision_url).hostname in _HERE
    return public_url.startswith("https://")


_HERE = ("localhost", "127.0.0.1", "::1")


def _contract(facts: Facts) -> Step:
    title, check = _("The contract, checked"), facts.check
    if check is None:
        sentence = _("It is not checked yet.")
        return Step("contract", title, State.TODO, sentence, _("Check it. The check only reads, and changes nothing."))
    when = {"time": local(check.at), "result": check.sentence}
    if not check.is_current:
        sentence = _("It was checked at %(time)s. The address or the contract has changed since.") % when
        return Step("contract", title, State.TODO, sentence, _("Check it again."))
    if not check.fits:
        remedy = _("See what does not fit, correct the contract or the server's settings, and check again.")
        return Step("contract", title, State.FAILED, _("Checked at %(time)s: %(result)s") % when, remedy)
    return Step("contract", title, State.DONE, _("Checked at %(time)s: %(result)s") % when)


def _subscription(facts: Facts) -> Step:
    title = _("The subscription")
    if facts.subscription_error:
        remedy = _("The worker tries again every minute. Fix the problem above, or try now.")
        return Step("subscription", title, State.FAILED, facts.subscription_error, remedy)
    if facts.subscribed_at is None:
        return Step(
            "subscription",
            title,
            State.TODO,
            _("There is none yet."),
            _("The worker makes it; you can also make it here."),
        )
    sentence = _("It is in place, last checked at %(time)s.") % {"time": local(facts.subscribed_at)}
    return Step("subscription", title, State.DONE, sentence)


def _callback(facts: Facts) -> Step:
    title = _("A first call from Offision")
    if facts.called_at is None:
        remedy = _("Change any booking in Offision, and see the call arrive here.")
        return Step("callback", title, State.TODO, _("Offision has not called yet."), remedy)
    sentence = _("The last call from Offision came at %(time)s.") % {"time": local(facts.called_at)}
    return Step("callback", title, State.DONE, sentence)


def _controller(facts: Facts) -> Step:
    title = _("A controller that answers")
    if facts.reconciled:
        sentence = _("%(name)s was reconciled.") % {"name": facts.reconciled}
        return Step("controller", title, State.DONE, sentence)
    if not facts.has_controller:
        remedy = _("Add it, enter its options, and test the connection.")
        return Step("controller", title, State.TODO, _("There is none yet."), remedy)
    if not facts.has_enabled:
        remedy = _("Test the connection, then enable it on its page.")
        return Step("controller", title, State.TODO, _("There is one, but it is not enabled."), remedy)
    if facts.controller_problem:
        remedy = _("Test the connection, and correct its options on its page.")
        return Step("controller", title, State.FAILED, facts.controller_problem, remedy)
    return Step("controller", title, State.TODO, _("The worker has not reconciled it yet."), _("Test the connection."))


def _resource(facts: Facts) -> Step:
    title = _("A resource with its door")
    if facts.mapped:
        sentence = _("%(name)s has a door.") % {"name": facts.mapped}
        return Step("resource", title, State.DONE, sentence)
    sentence = (
        ngettext(
            "Offision has %(n)d resource that is not mapped.",
            "Offision has %(n)d resources that are not mapped.",
            facts.unmapped,
        )
        % {"n": facts.unmapped}
        if facts.unmapped
        else _("None is mapped to a door.")
    )
    return Step(
        "resource", title, State.TODO, sentence, _("Choose one, or enter its id in Offision, and give it its door.")
    )


def _permission(facts: Facts) -> Step:
    title = _("A first permission, read back")
    if facts.confirmed:
        sentence = _("A controller was read, and holds a card's permission.")
        return Step("permission", title, State.DONE, sentence)
    remedy = _("Book the resource in Offision as the cardholder; within seconds the controller holds the card.")
    return Step("permission", title, State.TODO, _("No controller holds a card from the portal yet."), remedy)
