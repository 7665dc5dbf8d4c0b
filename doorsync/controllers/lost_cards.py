"""What a lost card means at the doors: who holds it, who is asked to let go of it, and how far that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
    """Mark these cards (primary keys) as lost. Returns them, and how many controllers are enqueued to take them out."""
    lost = cards.report_lost(keys, actor=actor)
    return lost, _holding(card.number for card in lost).count()


def take_out(sender: Any, *, numbers: list[str], **kwargs: Any) -> None:
    """Receiver of cards_deactivated: enqueue every controller that holds one of these cards.

    A controller that waits for its next attempt, as it did not answer, is tried at once all the same.
    """
    # Locked in the order in which everybody locks them.
    holding = list(_holding(numbers).select_for_update(of=("self",)).order_by("pk"))
    queue.enqueue_now(ControllerSync.objects.filter(pk__in=[sync.pk for sync in holding]))
    for sync in holding:
        queue.enqueue(tasks.reconcile_controller, sync.controller_id)


def _holding(numbers: Iterable[str]) -> QuerySet[ControllerSync]:
    cards_held = _held(numbers).values("controller")
    return ControllerSync.objects.filter(controller__enabled=True, controller__in=cards_held)


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
