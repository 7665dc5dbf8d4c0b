"""Fixes of the map in one step."""

import pytest
from django.core.exceptions import ValidationError

from accessmap.models import Card, Cardholder
from accessmap.services import quick_fixes
from portal.audit.models import Entry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("email", ["", "  "])
def test_a_blank_email_matches_nobody(email):
    kiosk = Cardholder.objects.create(name="Kiosk")
    with pytest.raises(ValidationError) as refused:
        quick_fixes.give_card(email=email, name="Mei", number="1001", actor="ann")
    assert refused.value.code == "no_email"
    assert not kiosk.cards.exists()


def test_a_card_goes_to_the_person_with_the_email_whatever_its_case():
    mei = Cardholder.objects.create(name="Mei", email="mei@pier.example")
    assert quick_fixes.give_card(email="MEI@pier.example ", name="", number="1001", actor="ann") == mei
    assert mei.cards.get().number == "1001"
    assert Entry.objects.get(action="card.given").object_label == "Mei: ••••"


def test_a_card_of_somebody_else_is_refused_by_its_code():
    Cardholder.objects.create(name="Mei", email="mei@pier.example")
    Card.objects.create(cardholder=Cardholder.objects.create(name="Tom"), number="10058400")
    with pytest.raises(ValidationError) as refused:
        quick_fixes.give_card(email="mei@pier.example", name="", number="10058400", actor="ann")
    assert refused.value.code == "card_of_another"
    assert refused.value.messages == ["Card ••••8400 is Tom's."]
