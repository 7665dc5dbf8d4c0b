"""What a lost card means at the doors: who holds it, who is asked to let go of it, and how far that is."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Card
from accessmap.services import cards
from doorsync import tasks
from doorsync.models import ControllerCard, ControllerSync, UnmanagedCard
from doorsync.work import queue


@dataclass(frozen=True)
class Place:
    """One controller that holds a card, or held it just now."""

    controller: str
    words: str
    # Whether it still holds the card.
    holds: bool
    # Whether somebody is at it; else it stays as it is until somebody does something.
    moving: bool


@transaction.atomic
def report_lost(keys: Iterable[int], *, actor: str) -> tuple[list[Card], int]:
    """Have these cards (primary keys) taken out of every controller at once. The cards, and how many controllers hold
    any of them.

    A controller that is left alone for a while, as it did not answer, is tried at once all the same.
    """
    lost = cards.report_lost(keys, actor=actor)
    holding = ControllerSync.objects.filter(
        pk__in=ControllerSync.objects.filter(
            controller__enabled=True, controller__cards__in=_held(card.number for card in lost)
        ).values("pk")
    )
    controllers = list(holding.values_list("controller_id", flat=True))
    queue.enqueue_now(holding)
    for controller_id in controllers:
        queue.enqueue(tasks.reconcile_controller, controller_id)
    return lost, len(controllers)


def _held(numbers: Iterable[str]) -> QuerySet[ControllerCard]:
    return ControllerCard.objects.filter(number__in=list(numbers)).exclude(state=ControllerCard.State.GONE)


def places_of(card: Card) -> list[Place]:
    """Where a card that opens nothing any more is, controller by controller."""
    rows = ControllerCard.objects.filter(number=card.number).select_related("controller__sync")
    found = [_place(row) for row in rows.order_by("controller__name")]
    strangers = UnmanagedCard.objects.filter(number=card.number).select_related("controller")
    words = _("The portal did not write it there, so it leaves it: adopt it under “Unmanaged cards” to have it out.")
    return found + [Place(row.controller.name, words, holds=True, moving=False) for row in strangers]


def _place(row: ControllerCard) -> Place:
    sync: ControllerSync | None = getattr(row.controller, "sync", None)
    name = row.controller.name
    if row.state == ControllerCard.State.GONE:
        return Place(name, _("Taken out."), holds=False, moving=False)
    if not row.controller.enabled:
        words = _("This controller is disabled: the card is left in it, and goes on opening its doors.")
        return Place(name, words, holds=True, moving=False)
    if sync is not None and sync.suspended_until is not None:
        words = _("It does not answer. The card is taken out as soon as it does; until then it may open its doors.")
        return Place(name, words, holds=True, moving=True)
    if row.state == ControllerCard.State.FAILED:
        words = _("Refused by the controller: %(reason)s") % {"reason": row.reason}
        return Place(name, words, holds=True, moving=True)
    return Place(name, _("Being taken out."), holds=True, moving=True)
