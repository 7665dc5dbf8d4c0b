"""What is done with a card: reported lost, its whole number shown to somebody."""

from collections.abc import Iterable

from django.db import transaction

from accessmap.models import Card, CardStatus
from portal.audit.models import Entry, Outcome, record, record_alone


@transaction.atomic
def report_lost(keys: Iterable[int], *, actor: str) -> list[Card]:
    """Have these cards (primary keys) open nothing from now on. Those that were not lost already.

    The map's revision is raised with it, so that the controllers are asked to let go of them.
    """
    cards = list(
        Card.objects.select_for_update(of=("self",))
        .filter(pk__in=keys)
        .exclude(status=CardStatus.LOST)
        .select_related("cardholder")
        .order_by("pk")
    )
    Card.objects.filter(pk__in=[card.pk for card in cards]).update(status=CardStatus.LOST)
    for card in cards:
        record(
            actor=actor,
            action="card.lost",
            on=card,
            label=f"{card} ({card.cardholder.name})",
            detail={"was": card.status, "cardholder": card.cardholder_id},
        )
        card.status = CardStatus.LOST
    return cards


def status_entry(card: Card, *, actor: str) -> Entry:
    """What the log is to say of a card that was given another status; not in the log yet."""
    return Entry(
        actor=actor[:200],
        action="card.lost" if card.status == CardStatus.LOST else "card.status",
        object_type=Card._meta.label,
        object_id=str(card.pk),
        object_label=f"{card} ({card.cardholder.name})"[:300],
        outcome=Outcome.DONE,
        detail={"now": card.status, "cardholder": card.cardholder_id},
    )


def note_status(card: Card, *, actor: str) -> None:
    """Note in the log that a card was given another status on a page."""
    status_entry(card, actor=actor).save()


def show_number(card: Card, *, actor: str) -> str:
    """A card's whole number, for somebody who asked to see it. The log says that they did, and not the number."""
    record_alone(
        actor=actor,
        action="card.number_shown",
        on=card,
        label=f"{card} ({card.cardholder.name})",
        detail={"cardholder": card.cardholder_id},
    )
    return card.number
