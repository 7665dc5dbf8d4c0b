"""What an installer has done at a step: the server asked, the portal called by itself, a permission read back."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accessmap.models import Controller, Door, masked
from doorsync.admin.controllers import tested
from doorsync.bookings.subscription import callback_url
from doorsync.controllers.desired import desired_for
from doorsync.controllers.preview import preview
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError
from doorsync.models import Callback
from doorsync.models.callbacks import TEST_CALL
from doorsync.policy.plan import Plan
from doorsync.policy.windows import Window
from doorsync.setup.steps import CHECKED, fingerprint
from doorsync.status.coverage import emails_without_card
from portal.audit.models import Outcome, record_alone
from portal.core import clock
from portal.core.http import BadCertificate, HttpError, HttpSession
from portal.offision.check import Section, check_contract
from portal.offision.client import OffisionClient
from portal.offision.default import contract_from_settings

# Somebody waits for the page: a server that is silent must not keep them, and a thread, for minutes.
CONNECT_SECONDS, READ_SECONDS = 3.0, 4.0
CALL_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it, in sentences; the first leads."""

    good: bool
    said: str
    more: tuple[str, ...] = ()


def check_offision(resource_id: str, *, actor: str) -> list[Section]:
    """Try the contract against the server, by reading only. Raises OffisionError where it can't even be begun."""
    client = OffisionClient(
        base_url=settings.OFFISION_URL,
        token=settings.OFFISION_TOKEN,
        contract=contract_from_settings(),
        time_zone=ZoneInfo(settings.SITE_TIME_ZONE),
        connect_timeout=min(CONNECT_SECONDS, settings.OFFISION_CONNECT_TIMEOUT),
        read_timeout=min(READ_SECONDS, settings.OFFISION_READ_TIMEOUT),
        attempts=1,
    )
    today = clock.now().astimezone(client.time_zone).date()
    sections = check_contract(client, resource_id=resource_id or None, code=None, today=today)
    misfits = sum(len(section.misfits) for section in sections)
    said = (
        ngettext("%(n)d thing does not fit.", "%(n)d things do not fit.", misfits) % {"n": misfits}
        if misfits
        else _("Everything that was tried fits.")
    )
    record_alone(
        actor=actor,
        action=CHECKED,
        on=None,
        label=f"Offision {client.host}",
        outcome=Outcome.FAILED if misfits else Outcome.DONE,
        reasons=[said],
        detail={"fingerprint": fingerprint()},
    )
    return sections


def call_ourselves(*, actor: str) -> Told:
    """Call the portal's own callURL, as Offision would, from here. Tells a portal that does not work from one that
    Offision does not reach."""
    told = _call()
    record_alone(
        actor=actor,
        action="callback.test",
        on=None,
        label=_("The portal's own callURL"),
        outcome=Outcome.DONE if told.good else Outcome.FAILED,
        reasons=[told.said],
    )
    return told


def _call() -> Told:
    token = uuid.uuid4().hex
    body = json.dumps({"portal-test": token}).encode()
    headers = {"Content-Type": TEST_CALL}
    if rule := contract_from_settings().callback.signature:
        headers[rule.header] = rule.sign(secret=settings.CALLBACK_SIGNING_KEY.encode(), body=body)
    silent = Told(False, _("Something took the call and gave no answer: look at the proxy before the portal."))
    with HttpSession(timeout=CALL_SECONDS, deadline=2 * CALL_SECONDS, max_bytes=MAX_ANSWER_BYTES) as session:
        try:
            status = session.request("POST", callback_url(), data=body, headers=headers).status
        except BadCertificate:
            return Told(False, _("The portal's certificate is not valid for its address: Offision would not call it."))
        except HttpError as error:
            if error.answer is None:
                return silent if error.sent else Told(False, _not_reached())
            status = error.answer.status  # the body does not count
    if status != HTTPStatus.ACCEPTED:
        return Told(False, _not_accepted(status))
    if not Callback.objects.filter(content_type=TEST_CALL, body=body).exists():
        return Told(False, _("Another portal answers at PORTAL_PUBLIC_URL: the call was accepted, and is not here."))
    return Told(
        True,
        _("The portal's own call arrived: the portal works, and can be reached from its own machine."),
        (_("If Offision's calls don't arrive, look between the two: names, firewalls, proxies, certificates."),),
    )


def _not_reached() -> str:
    return _(
        "The portal could not reach itself at %(url)s: the name is not known here, or nothing listens there. Some "
        "networks let no machine call itself by its public name; Offision may still reach it."
    ) % {"url": settings.PORTAL_PUBLIC_URL}


def _not_accepted(status: int) -> str:
    login = _("Does the proxy ask for a login? Offision has none.")
    known: dict[int, str] = {
        HTTPStatus.BAD_REQUEST: _("Is its host name in PORTAL_ALLOWED_HOSTS?"),
        HTTPStatus.NOT_FOUND: _("Does the proxy send /api/offision/ to the portal, and was the portal restarted?"),
        HTTPStatus.FORBIDDEN: login,
        HTTPStatus.UNAUTHORIZED: login,
    }
    why = known.get(status, _("Look at the proxy before the portal."))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        why = _("It sends callers elsewhere, and few follow: write its final address into PORTAL_PUBLIC_URL.")
    return _("Status %(status)d came back, where 202 should. %(why)s") % {"status": status, "why": why}


def test_controller(controller: Controller, *, actor: str) -> Told:
    """Ask a controller who it is, and say what was found."""
    try:
        told = Told(True, tested(controller))
    except DriverError as error:
        told = Told(False, str(error))
    record_alone(
        actor=actor,
        action="controller.test",
        on=controller,
        outcome=Outcome.DONE if told.good else Outcome.FAILED,
        reasons=[told.said],
    )
    return told


@dataclass(frozen=True, slots=True)
class _Promise:
    """A permission that the bookings want a controller to hold."""

    controller: Controller
    card: str
    door: int
    window: Window


def read_back(now: datetime, *, actor: str) -> Told:
    """Take a permission that the bookings want, read its controller, and say whether the controller says the same."""
    promise = _a_permission(now)
    if promise is None:
        return Told(False, _("No booking or access level admits anybody to a door just now."), _hints(now))
    controller = promise.controller
    try:
        told = _compared(promise, preview(controller, now)[1], now)
    except DriverError as error:
        told = Told(False, _("%(controller)s could not be read: %(why)s") % {"controller": controller, "why": error})
    record_alone(
        actor=actor,
        action="permission.read_back",
        on=controller,
        outcome=Outcome.DONE if told.good else Outcome.FAILED,
        reasons=[told.said],
    )
    return told


def _a_permission(now: datetime) -> _Promise | None:
    """One to look at: of a booking rather than of an access level, and the one that is next."""
    found = []
    for controller in Controller.objects.filter(enabled=True, doors__resources__isnull=False).distinct()[:10]:
        for card, doors in desired_for(controller, now).cards.items():
            for door, permissions in doors.items():
                found += [_Promise(controller, card, door, permission.window) for permission in permissions]
    return min(found, key=lambda p: (p.window.start is None, p.window.start or now, p.card, p.door), default=None)


def _compared(promise: _Promise, plan: Plan, now: datetime) -> Told:
    controller, card = promise.controller, promise.card
    said = _may_pass(promise)
    if card in plan.cards.unchanged:
        driver = driver_for(controller, now)
        driver.close()
        if not driver.capabilities.lists_cards:
            return Told(True, _("%(said)s, and so it was written; this controller can't be read.") % {"said": said})
        return Told(True, _("%(said)s, and the controller says the same.") % {"said": said})
    if card in plan.cards.contested:
        why = _("the controller has an entry for it that the portal did not write: adopt it under Unmanaged cards.")
    elif card in plan.cards.add or card in plan.cards.update:
        why = _("the controller does not say so yet. Look again in a moment; States of controllers says what is wrong.")
    else:
        why = _("this controller, which is told nothing of it ahead of time, is told when it begins.")
    return Told(False, _("%(said)s; but %(why)s") % {"said": said, "why": why})


def _may_pass(promise: _Promise) -> str:
    zone = ZoneInfo(promise.controller.site.time_zone)
    door = (
        Door.objects.filter(controller=promise.controller, number=promise.door).values_list("name", flat=True).first()
    )

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"

    start, end = promise.window.start, promise.window.end
    said = {
        "card": masked(promise.card),
        "door": door,
        "start": at(start) if start else "",
        "end": at(end) if end else "",
    }
    if start and end:
        return _("Card %(card)s may pass %(door)s from %(start)s until %(end)s") % said
    if end:
        return _("Card %(card)s may pass %(door)s until %(end)s") % said
    if start:
        return _("Card %(card)s may pass %(door)s from %(start)s on") % said
    return _("Card %(card)s may always pass %(door)s") % said


def _hints(now: datetime) -> tuple[str, ...]:
    hints = [_("Book a mapped resource in Offision, with the cardholder as organizer or attendee.")]
    if missing := len(emails_without_card(now)):
        hints.append(
            ngettext(
                "%(n)d email of coming bookings leads to no active card.",
                "%(n)d emails of coming bookings lead to no active card.",
                missing,
            )
            % {"n": missing}
        )
    return tuple(hints)
