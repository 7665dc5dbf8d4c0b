"""What an installer has done at a step: the contract checked, the portal called by itself, a permission read back."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accessmap.models import Controller, Door, masked
from doorsync.bookings.subscription import callback_url
from doorsync.controllers.desired import desired_for
from doorsync.controllers.preview import preview
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError
from doorsync.models import TEST_CALL, Callback
from doorsync.policy.plan import Plan
from doorsync.policy.windows import Window
from doorsync.setup import problems
from doorsync.setup.steps import CHECKED, fingerprint
from doorsync.status.coverage import emails_without_card
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.http import BadCertificate, HttpError, HttpSession
from portal.core.problems import Problem, problem_of
from portal.offision.check import Section, check_contract
from portal.offision.client import OffisionClient
from portal.offision.default import contract_from_settings

# An installer waits for the answer: a silent server must not take minutes.
CONNECT_SECONDS, READ_SECONDS = 3.0, 4.0
CALL_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an action: whether it worked, and sentences. The first leads."""

    worked: bool
    sentences: tuple[Problem, ...]


def check_offision(resource_id: str, *, actor: str) -> list[Section]:
    """Try the contract against the server, by reading only. Raises OffisionError if it can't begin."""
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
    with transaction.atomic():
        record(
            actor=actor,
            action=CHECKED,
            on=None,
            label=f"Offision {client.host}",
            outcome=Outcome.FAILED if misfits else Outcome.DONE,
            reasons=[problems.CONTRACT_MISFITS(n=misfits) if misfits else problems.CONTRACT_FITS()],
            detail={"fingerprint": fingerprint()},
        )
    return sections


def call_ourselves(*, actor: str) -> Answer:
    """Call the portal's own callURL as Offision would. Distinguishes a portal that does not work from one that
    Offision does not reach."""
    answer = _call()
    with transaction.atomic():
        record(
            actor=actor,
            action="callback.test",
            on=None,
            label=_("The portal's own callURL"),
            outcome=Outcome.DONE if answer.worked else Outcome.FAILED,
            reasons=answer.sentences[:1],
        )
    return answer


def _call() -> Answer:
    body = json.dumps({"portal-test": uuid.uuid4().hex}).encode()
    headers = {"Content-Type": TEST_CALL}
    if rule := contract_from_settings().callback.signature:
        headers[rule.header] = rule.sign(secret=settings.CALLBACK_SIGNING_KEY.encode(), body=body)
    with HttpSession(timeout=CALL_SECONDS, deadline=2 * CALL_SECONDS, max_bytes=MAX_ANSWER_BYTES) as session:
        try:
            status = session.request("POST", callback_url(), data=body, headers=headers).status
        except BadCertificate:
            return Answer(False, (problems.BAD_CERTIFICATE(),))
        except HttpError as error:
            if error.answer is None:
                not_reached = problems.NOT_REACHED(url=settings.PORTAL_PUBLIC_URL)
                return Answer(False, (problems.CALL_UNANSWERED() if error.sent else not_reached,))
            status = error.answer.status  # the body does not count
    if status != HTTPStatus.ACCEPTED:
        return Answer(False, (_wrong_status(status),))
    if not Callback.objects.filter(content_type=TEST_CALL, body=body).exists():
        return Answer(False, (problems.OTHER_PORTAL(),))
    return Answer(True, (problems.CALL_ARRIVED(), problems.LOOK_BETWEEN()))


def _wrong_status(status: int) -> Problem:
    causes = {
        HTTPStatus.BAD_REQUEST: problems.CHECK_ALLOWED_HOSTS,
        HTTPStatus.NOT_FOUND: problems.CHECK_PROXY_PATH,
        HTTPStatus.FORBIDDEN: problems.CHECK_PROXY_LOGIN,
        HTTPStatus.UNAUTHORIZED: problems.CHECK_PROXY_LOGIN,
    }
    redirects = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    default = problems.CHECK_REDIRECT if redirects else problems.CHECK_PROXY
    cause = next((cause for known, cause in causes.items() if known == status), default)
    return problems.WRONG_STATUS(status=status, why=cause())


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A permission that a controller should hold."""

    controller: Controller
    card: str
    door: int
    window: Window


def read_back(now: datetime, *, actor: str) -> Answer:
    """Take a desired permission, read its controller, and say whether the controller holds the same."""
    wanted = _a_permission(now)
    if wanted is None:
        return Answer(False, (problems.NO_PERMISSION(), *_hints(now)))
    controller = wanted.controller
    try:
        answer = _compared(wanted, preview(controller, now)[1], now)
    except DriverError as error:
        answer = Answer(False, (problems.NOT_READ(controller=str(controller), why=problem_of(error)),))
    with transaction.atomic():
        record(
            actor=actor,
            action="permission.read_back",
            on=controller,
            outcome=Outcome.DONE if answer.worked else Outcome.FAILED,
            reasons=answer.sentences[:1],
        )
    return answer


def _a_permission(now: datetime) -> _Wanted | None:
    """The next permission of a booking; only without any of these, one of an access level."""
    permissions = [
        _Wanted(controller, card, door, permission.window)
        for controller in Controller.objects.filter(enabled=True, doors__resources__isnull=False).distinct()[:10]
        for card, doors in desired_for(controller, now).cards.items()
        for door, permissions in doors.items()
        for permission in permissions
    ]
    return min(permissions, key=lambda p: (p.window.start is None, p.window.start or now, p.card, p.door), default=None)


def _compared(wanted: _Wanted, plan: Plan, now: datetime) -> Answer:
    controller, card, cards = wanted.controller, wanted.card, plan.cards
    permission = _may_pass(wanted)
    if card in cards.unchanged:
        driver = driver_for(controller, now)
        driver.close()
        can_be_read = driver.capabilities.lists_cards
        return Answer(True, ((problems.CONFIRMED if can_be_read else problems.WRITTEN)(permission=permission),))
    if card in plan.contested:
        return Answer(False, (problems.UNMANAGED(permission=permission),))
    if card in cards.add or card in cards.update:
        return Answer(False, (problems.NOT_YET(permission=permission),))
    return Answer(False, (problems.WHEN_IT_BEGINS(permission=permission),))


def _may_pass(wanted: _Wanted) -> Problem:
    zone = ZoneInfo(wanted.controller.site.time_zone)
    names = Door.objects.filter(controller=wanted.controller, number=wanted.door).values_list("name", flat=True)
    common = {"card": masked(wanted.card), "door": names.first() or str(wanted.door)}

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"

    start, end = wanted.window.start, wanted.window.end
    if start and end:
        return problems.MAY_PASS(**common, start=at(start), end=at(end))
    if end:
        return problems.MAY_PASS_UNTIL(**common, end=at(end))
    if start:
        return problems.MAY_PASS_FROM(**common, start=at(start))
    return problems.MAY_ALWAYS_PASS(**common)


def _hints(now: datetime) -> list[Problem]:
    missing = len(emails_without_card(now))
    return [problems.BOOK_A_RESOURCE(), *([problems.EMAILS_WITHOUT_CARD(n=missing)] if missing else [])]
