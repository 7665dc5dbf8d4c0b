"""The steps from nothing to the first door, and how far each is. `steps` is pure; `facts_at` reads what it needs.

Nothing of this is a session of the wizard's: each step's state follows from the settings and the database, so that it
can be left at any moment and resumed by anybody, and a step that stops being in order shows it.
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
from doorsync.models.callbacks import TEST_CALL
from portal.audit.models import Entry, Outcome
from portal.core.clock import local
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError

CHECKED = "contract.check"  # the audit log's action: who checked when, and what came of it
# A worker that has not ticked for so long is not there.
SILENT_AFTER = timedelta(minutes=1)


class State(StrEnum):
    DONE = "done"
    TODO = "todo"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how far it is, in a sentence, and what to do next ("" where nothing is to be done)."""

    key: str
    title: str
    state: State
    said: str
    remedy: str = ""

    @property
    def done(self) -> bool:
        return self.state is State.DONE


@dataclass(frozen=True, slots=True)
class Check:
    """The last time that the contract was tried against the server."""

    at: datetime
    fits: bool
    said: str
    still_the_same: bool  # neither the address nor the contract has changed since


@dataclass(frozen=True, slots=True)
class Facts:
    ticked_at: datetime | None
    offision_url: str
    connection_trouble: str  # why no client can be made of the settings
    public_url: str
    check: Check | None
    subscribed_at: datetime | None
    subscription_error: str
    called_at: datetime | None  # by Offision; calls of the portal's own don't count
    has_site: bool
    has_controller: bool
    has_enabled: bool
    in_order: str  # the name of a controller that was once found in order
    controller_trouble: str
    has_door: bool
    has_policy: bool
    has_card: bool  # of a cardholder with an email, and usable
    mapped: str  # the name of a resource with a door
    unmapped: int
    confirmed: bool  # some card's permission is in a controller, and was seen there


def facts_at(now: datetime) -> Facts:
    """What the steps' states follow from, at `now` (aware)."""
    state = SchedulerState.objects.filter(pk=1).first() or SchedulerState()
    syncs = ControllerSync.objects.filter(controller__enabled=True).order_by("controller__name")
    in_order = syncs.filter(succeeded_at__isnull=False).values_list("controller__name", flat=True).first()
    problem = syncs.exclude(last_error="").values_list("last_error", flat=True).first()
    calls = Callback.objects.exclude(content_type=TEST_CALL).order_by("-id")
    return Facts(
        ticked_at=state.ticked_at,
        offision_url=settings.OFFISION_URL,
        connection_trouble=_connection_trouble(),
        public_url=settings.PORTAL_PUBLIC_URL,
        check=_last_check(),
        subscribed_at=state.subscribed_at,
        subscription_error=state.subscription_error,
        called_at=calls.values_list("received_at", flat=True).first(),
        has_site=Site.objects.exists(),
        has_controller=Controller.objects.exists(),
        has_enabled=Controller.objects.filter(enabled=True).exists(),
        in_order=in_order or "",
        controller_trouble=problem or "",
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
    """Of the server's address and the contract: when one changes, the contract has to be checked again."""
    try:
        contract = settings.OFFISION_CONTRACT.read_bytes()
    except OSError:
        contract = b""
    return hashlib.sha256(settings.OFFISION_URL.encode() + b"\n" + contract).hexdigest()[:16]


def _connection_trouble() -> str:
    if not settings.OFFISION_URL:
        return ""
    try:
        client_from_settings()
    except OffisionError as error:
        return error.summary
    return ""


def _last_check() -> Check | None:
    entry = Entry.objects.filter(action=CHECKED).order_by("-id").first()
    if entry is None:
        return None
    return Check(
        at=entry.at,
        fits=entry.outcome == Outcome.DONE,
        said=str(entry.reasons),
        still_the_same=entry.detail.get("fingerprint") == fingerprint(),
    )


def steps(facts: Facts, now: datetime) -> tuple[Step, ...]:
    """Every step in its order, and how far it is at `now` (aware)."""
    return tuple(_steps(facts, now))


def _steps(facts: Facts, now: datetime) -> Iterator[Step]:
    yield _worker(facts, now)
    yield _settings(facts)
    yield _contract(facts)
    yield _subscription(facts)
    yield _callback(facts)
    yield _one("site", _("A site"), done=facts.has_site, remedy=_("Add the building, and the time zone that it is in."))
    yield _controller(facts)
    yield _one(
        "door",
        _("Its doors"),
        done=facts.has_door,
        remedy=_("Add the controller's doors, with the numbers that they have there, on the controller's page."),
    )
    yield _one(
        "policy",
        _("An access policy"),
        done=facts.has_policy,
        remedy=_("Say whom a booking admits, and how early and how late."),
    )
    yield _one(
        "cardholder",
        _("A cardholder with a card"),
        done=facts.has_card,
        remedy=_("Add yourself, with the email that you have in Offision and a card that the readers know."),
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
        return Step("worker", title, State.DONE, _("It is at work."))
    said = (
        _("It has never ticked.")
        if facts.ticked_at is None
        else _("It has not ticked since %(time)s.") % {"time": local(facts.ticked_at)}
    )
    remedy = _("Start the worker, and beat with it: by docker compose, or manage.py run. Nothing happens without it.")
    return Step("worker", title, State.FAILED, said, remedy)


def _settings(facts: Facts) -> Step:
    title = _("Offision's address and token")
    if not facts.offision_url:
        said = _("OFFISION_URL is not set.")
        return Step("settings", title, State.TODO, said, _("Write both into .env, and restart the portal."))
    if facts.connection_trouble:
        remedy = _("Mend it in .env, and restart the portal.")
        return Step("settings", title, State.FAILED, facts.connection_trouble, remedy)
    if not can_be_called(facts.public_url, facts.offision_url):
        said = _("PORTAL_PUBLIC_URL is %(url)s, and Offision can't call that.") % {"url": facts.public_url}
        remedy = _("Write the HTTPS address by which Offision reaches the portal into .env, and restart it.")
        return Step("settings", title, State.FAILED, said, remedy)
    host = urlsplit(facts.offision_url).netloc
    return Step("settings", title, State.DONE, _("Both are set. Offision is at %(host)s.") % {"host": host})


def can_be_called(public_url: str, offision_url: str) -> bool:
    """Whether a call from Offision's machine can arrive at an address like this one."""
    if urlsplit(public_url).hostname in _HERE:
        return urlsplit(offision_url).hostname in _HERE
    return public_url.startswith("https://")


_HERE = ("localhost", "127.0.0.1", "::1")


def _contract(facts: Facts) -> Step:
    title, check = _("The contract, checked"), facts.check
    if check is None:
        said = _("It was not checked yet.")
        return Step("contract", title, State.TODO, said, _("Check it: the server is only read, and nothing changed."))
    when = {"time": local(check.at), "said": check.said}
    if not check.still_the_same:
        said = _("It was checked at %(time)s, and the address or the contract has changed since.") % when
        return Step("contract", title, State.TODO, said, _("Check it again."))
    if not check.fits:
        remedy = _("See what does not fit, mend the contract or the server's settings, and check again.")
        return Step("contract", title, State.FAILED, _("Checked at %(time)s: %(said)s") % when, remedy)
    return Step("contract", title, State.DONE, _("Checked at %(time)s: %(said)s") % when)


def _subscription(facts: Facts) -> Step:
    title = _("The subscription")
    if facts.subscription_error:
        remedy = _("The worker tries again every minute. Mend what it says, or try at once.")
        return Step("subscription", title, State.FAILED, facts.subscription_error, remedy)
    if facts.subscribed_at is None:
        return Step(
            "subscription", title, State.TODO, _("It was not made yet."), _("The worker makes it, or do it here.")
        )
    said = _("In order, last seen at %(time)s.") % {"time": local(facts.subscribed_at)}
    return Step("subscription", title, State.DONE, said)


def _callback(facts: Facts) -> Step:
    title = _("A first call of Offision's")
    if facts.called_at is None:
        remedy = _("Change any booking in Offision, and see the call arrive.")
        return Step("callback", title, State.TODO, _("Offision has not called yet."), remedy)
    said = _("Offision called last at %(time)s.") % {"time": local(facts.called_at)}
    return Step("callback", title, State.DONE, said)


def _controller(facts: Facts) -> Step:
    title = _("A controller that answers")
    if facts.in_order:
        said = _("%(name)s was read, and holds what it should.") % {"name": facts.in_order}
        return Step("controller", title, State.DONE, said)
    if not facts.has_controller:
        remedy = _("Add it, say where it is, and test the connection.")
        return Step("controller", title, State.TODO, _("There is none yet."), remedy)
    if not facts.has_enabled:
        remedy = _("Test the connection, then enable it on its page.")
        return Step("controller", title, State.TODO, _("There is one, and it is not enabled."), remedy)
    if facts.controller_trouble:
        remedy = _("Test the connection, and mend its options on its page.")
        return Step("controller", title, State.FAILED, facts.controller_trouble, remedy)
    return Step("controller", title, State.TODO, _("The worker has not spoken to it yet."), _("Test the connection."))


def _resource(facts: Facts) -> Step:
    title = _("A resource with its door")
    if facts.mapped:
        said = _("%(name)s has a door.") % {"name": facts.mapped}
        return Step("resource", title, State.DONE, said)
    said = (
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
        "resource", title, State.TODO, said, _("Choose one, or enter its id in Offision, and give it its door.")
    )


def _permission(facts: Facts) -> Step:
    title = _("A first permission, read back")
    if facts.confirmed:
        said = _("A controller holds a card's permission, and was seen to.")
        return Step("permission", title, State.DONE, said)
    remedy = _("Book the resource in Offision as the cardholder; within seconds the controller holds the card.")
    return Step("permission", title, State.TODO, _("No controller holds a card of the portal's yet."), remedy)
