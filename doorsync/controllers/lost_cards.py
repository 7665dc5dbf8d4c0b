"""Lost cards at the controllers: which hold one, and how far its removal is."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Card
from accessmap.services import cards
from doorsync.models import ControllerCard, ControllerSync, UnmanagedCard
from doorsync.work import queue


@dataclass(frozen=True)
class Place:
    """A controller that holds a card, or held it a moment ago. `sentence` is in the active language."""

    controller: str
    sentence: str
    holds: bool
    # Whether the portal is removing the card; else it stays until somebody does something.
    moving: bool


@transaction.atomic
def report_lost(keys: Iterable[int], *, actor: str) -> tuple[list[Card], int]:
    """Report these cards (primary keys) lost and remove them from every controller at once.

    The cards, and how many controllers hold any of them. A suspended controller is tried at once, too.
    """
    lost = cards.report_lost(keys, actor=actor)
    holding = ControllerSync.objects.filter(
        pk__in=ControllerSync.objects.filter(
            controller__enabled=True, controller__cards__in=_held(card.number for card in lost)
        ).values("pk")
    )
    return lost, len(queue.enqueue(holding, at_once=True))


def _held(numbers: Iterable[str]) -> QuerySet[ControllerCard]:
    return ControllerCard.objects.filter(number__in=list(numbers)).exclude(state=ControllerCard.State.GONE)


def places_of(card: Card) -> list[Place]:
    """Where a card that opens nothing any more is, controller by controller."""
    rows = ControllerCard.objects.filter(number=card.number).select_related("controller__sync")
    places = [_place(row) for row in rows.order_by("controller__name")]
    unmanaged = UnmanagedCard.objects.filter(number=card.number).select_related("controller")
    sentence = _("The portal did not write it there, so it leaves it: adopt it under “Unmanaged cards” to remove it.")
    return places + [Place(row.controller.name, sentence, holds=True, moving=False) for row in unmanaged]


def _place(row: ControllerCard) -> Place:
    sync: ControllerSync | None = getattr(row.controller, "sync", None)
    name = row.controller.name
    if row.state == ControllerCard.State.GONE:
        return Place(name, _("Removed."), holds=False, moving=False)
    if not row.controller.enabled:
        sentence = _("This controller is disabled: the card stays in it, and goes on opening its doors.")
        return Place(name, sentence, holds=True, moving=False)
    if sync is not None and sync.suspended_until is not None:
        sentence = _("It does not answer. The card is removed as soon as it does; until then it may open its doors.")
        return Place(name, sentence, holds=True, moving=True)
    if row.state == ControllerCard.State.FAILED:
        sentence = _("Refused by the controller: %(reason)s") % {"reason": row.reason}
        return Place(name, sentence, holds=True, moving=True)
    return Place(name, _("Being removed."), holds=True, moving=True)
