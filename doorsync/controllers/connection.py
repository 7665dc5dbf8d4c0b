"""The connection test: a controller is asked who it is, by its stored options."""

from functools import reduce

from django.db import transaction

from accessmap.models import Controller
from doorsync.controllers.problems import AND, ANSWERS, CAPACITY, CARDS_IN_IT, CLOCK_FACT, FIRMWARE, SERIAL
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import QUOTED, Problem, problem_of


def check_connection(controller: Controller, *, actor: str) -> Problem:
    """What a controller says of itself. The audit log has the outcome. Raises DriverError."""
    try:
        answer = describe(controller)
    except DriverError as error:
        _record(controller, actor, problem_of(error), Outcome.FAILED)
        raise
    _record(controller, actor, answer, Outcome.DONE)
    return answer


@transaction.atomic
def _record(controller: Controller, actor: str, reason: Problem, outcome: Outcome) -> None:
    record(actor=actor, action="controller.test", on=controller, outcome=outcome, reasons=[reason])


def describe(controller: Controller) -> Problem:
    """What a controller says of itself, in a sentence. Raises DriverError."""
    driver = driver_for(controller, clock.now())
    try:
        info = driver.info()
        capabilities = driver.capabilities
        reads_cards = capabilities.holds_cards and capabilities.lists_cards
        cards = len(driver.read().cards) if reads_cards else None
    finally:
        driver.close()
    facts = [QUOTED(text=info.model)]
    if info.firmware:
        facts.append(FIRMWARE(firmware=info.firmware))
    if info.serial:
        facts.append(SERIAL(serial=info.serial))
    if info.time is not None:
        facts.append(CLOCK_FACT(seconds=(info.time - clock.now()).total_seconds()))
    if cards is not None:
        facts.append(CARDS_IN_IT(n=cards))
    if info.capacity is not None:
        facts.append(CAPACITY(n=info.capacity))
    facts += info.notes
    return ANSWERS(facts=reduce(lambda more, fact: AND(fact=fact, more=more), reversed(facts)))
