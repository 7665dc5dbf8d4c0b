"""What happens to a card: it is reported lost or returned, or its whole number is shown to somebody."""

from collections.abc import Iterable

from django.db import transaction
from django.dispatch import Signal

from accessmap.models import Card, CardStatus
from portal.audit.models import Entry, Outcome, record_alone

# Cards were marked as lost or returned: `numbers`, a list. Sent in the transaction that marks them. What deletes cards
# or undoes a change sends nothing: see accessmap.services.map_changes.
cards_deactivated = Signal()


@transaction.atomic
def report_lost(keys: Iterable[int], *, actor: str) -> list[Card]:
    """Mark these cards (primary keys) as lost. Returns those that were not lost before."""
    cards = list(
        Card.objects.select_for_update(of=("self",))
        .filter(pk__in=keys)
        .exclude(status=CardStatus.LOST)
        .select_related("cardholder")
        .order_by("pk")
    )
    Card.objects.filter(pk__in=[card.pk for card in cards]).update(status=CardStatus.LOST)
    for card in cards:
        card.status = CardStatus.LOST
    record_status_changes(cards, actor=actor)
    return cards


@transaction.atomic
def record_status_changes(cards: Iterable[Card], *, actor: str) -> None:
    """Log the new status of cards that were saved with it, and have those that are not active taken out of the doors.

    `cards` have their cardholders. Every path that changes a status ends here. A receiver may lock rows that others
    wait for, so call it last in a long transaction.
    """
    cards = list(cards)
    Entry.objects.bulk_create(
        Entry(
            actor=actor[:200],
            action="card.lost" if card.status == CardStatus.LOST else "card.status",
            object_type=Card._meta.label,
            object_id=str(card.pk),
            object_label=f"{card} ({card.cardholder.name})"[:300],
            outcome=Outcome.DONE,
            detail={"now": card.status, "cardholder": card.cardholder_id},
        )
        for card in cards
    )
    if numbers := [card.number for card in cards if card.status != CardStatus.ACTIVE]:
        cards_deactivated.send(Card, numbers=numbers)


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
