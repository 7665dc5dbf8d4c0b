"""The map's rules hold in the database itself."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accessmap.models import AccessPolicy, Card, Cardholder, Controller, Site, masked

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei():
    return Cardholder.objects.create(name="Mei", email="mei@pier.example")


@pytest.fixture
def site():
    return Site.objects.create(name="Pier", time_zone="Asia/Hong_Kong")


def test_emails_are_unique_whatever_their_case_and_may_be_blank(mei):
    with pytest.raises(IntegrityError), transaction.atomic():
        Cardholder.objects.create(name="Other", email="MEI@Pier.Example")
    Cardholder.objects.create(name="Kiosk", email="")
    Cardholder.objects.create(name="Spare", email="")


def test_a_card_number_is_unique_and_its_validity_ends_after_it_begins(mei):
    Card.objects.create(cardholder=mei, number="1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Card.objects.create(cardholder=mei, number="1")
    moment = datetime(2026, 3, 10, tzinfo=UTC)
    with pytest.raises(IntegrityError), transaction.atomic():
        Card.objects.create(cardholder=mei, number="2", valid_from=moment, valid_until=moment)


def test_a_lead_of_more_than_a_day_is_refused_by_the_database():
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessPolicy.objects.create(name="p", lead_minutes=1441)


def test_a_site_needs_a_real_time_zone():
    with pytest.raises(ValidationError, match="no IANA time zone"):
        Site(name="x", time_zone="Hong Kong").full_clean()


def test_a_controller_needs_a_driver_that_exists(site):
    with pytest.raises(ValidationError, match="There is no driver"):
        Controller(site=site, name="c", driver="magic").full_clean()


def test_history_keeps_earlier_values(mei):
    Cardholder.objects.filter(pk=mei.pk).update(name="Mei Ling")
    assert list(mei.events.order_by("pgh_id").values_list("name", flat=True)) == ["Mei", "Mei Ling"]


def test_masking_shows_four_characters_at_the_most():
    assert masked("10058400") == "••••8400"
    assert masked("8400") == "••••"
