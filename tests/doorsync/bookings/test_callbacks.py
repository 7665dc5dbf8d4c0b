"""The callback endpoint, as Offision and others meet it."""

import hashlib
import hmac
import json

import pytest
from django.urls import reverse
from prometheus_client import REGISTRY

from doorsync.models import Callback, ResourceSync, SchedulerState, UnmappedResource
from doorsync.work import queue
from portal.core.logging import redact
from portal.offision.default import contract_from_settings
from portal.offision.errors import ContractError
from tests.places import NOW

SECRET = "the-secret-of-these-tests"


@pytest.fixture
def post(client, settings):
    settings.CALLBACK_SECRETS = ["the-new-secret-of-these-tests", SECRET]

    def send(body, secret=SECRET, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(reverse("callback", args=[secret]), raw, content_type="application/json", headers=headers)

    return send


def refused(why):
    return REGISTRY.get_sample_value("portal_callbacks_refused_total", {"reason": why}) or 0


def settle(place):
    """As if the first look had been had."""
    for row in ResourceSync.objects.all():
        ResourceSync.objects.filter(pk=row.pk).update(observed_generation=row.generation, next_attempt_at=None)


def test_a_call_asks_for_its_resource_once_however_often_it_comes(place, post, doorbells):
    settle(place)
    doorbells.clear()
    before = place.room().generation
    for _ in range(5):
        assert post({"resourceId": "room"}).status_code == 202
    assert place.room().generation == before + 1
    assert [name for name, _pk in doorbells] == ["fetch_bookings"]
    assert Callback.objects.filter(outcome="enqueued", generation=before + 1).count() == 5


def test_a_call_during_a_fetch_gets_a_fetch_of_its_own(place, post):
    settle(place)
    queue.enqueue(ResourceSync.objects.filter(resource__external_id="room"), at_once=True, wake=False)
    claimed = queue.lease(ResourceSync.objects.filter(resource__external_id="room"), NOW)
    post({"resourceId": "room"})
    assert queue.release(claimed, observed=True)
    assert place.room().generation > place.room().observed_generation


def test_a_wrong_secret_leaves_no_trace_but_a_metric(place, post):
    before = refused("secret")
    assert post({"resourceId": "room"}, secret="the-secret-of-these-tests ").status_code == 404
    assert not Callback.objects.exists()
    assert refused("secret") == before + 1


def test_both_secrets_work_while_one_is_being_changed(place, post):
    assert post({"resourceId": "room"}, secret="the-new-secret-of-these-tests").status_code == 202


def test_over_64_kib_is_refused_and_64_kib_are_not(place, post):
    body = b'{"resourceId": "room", "x": "' + b"y" * (64 * 1024 - 31) + b'"}'
    assert len(body) == 64 * 1024
    assert post(body).status_code == 202
    assert post(body + b" ").status_code == 413
    assert Callback.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"[" * 60_000,
        b'{"resourceId": ""}',
        b'{"resourceId": "a\\u0000b"}',
        b'"room"',
        b"\xff\xfe\x00",
        b"{}",
    ],
)
def test_a_call_that_cannot_be_read_is_kept_and_leads_to_a_look_everywhere(place, post, body):
    assert post(body).status_code == 202
    kept = Callback.objects.get()
    assert bytes(kept.body) == body
    assert kept.outcome == Callback.Outcome.UNREADABLE
    assert kept.problems
    assert SchedulerState.objects.get().full_resync_requested_at is not None


def test_a_call_for_a_resource_that_nobody_knows_is_shown_to_staff(place, post):
    assert post({"resourceId": "room-999"}).status_code == 202
    assert Callback.objects.get().outcome == Callback.Outcome.UNKNOWN_RESOURCE
    assert UnmappedResource.objects.get().external_id == "room-999"
    assert SchedulerState.objects.get().full_resync_requested_at is not None


def test_where_calls_are_signed_an_unsigned_one_is_refused(place, post, settings, tmp_path):
    text = settings.OFFISION_CONTRACT.read_text()
    assert "[callback]" in text
    signed = (
        text
        + '\n[callback.signature]\nheader = "X-Signature"\n'
        + 'algorithm = "hmac-sha256"\nencoding = "hex"\nprefix = "sha256="\n'
    )
    settings.OFFISION_CONTRACT = tmp_path / "contract.toml"
    settings.OFFISION_CONTRACT.write_text(signed)
    settings.CALLBACK_SIGNING_KEY = "key"
    contract_from_settings.cache_clear()
    body = b'{"resourceId": "room"}'
    right = "sha256=" + hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert post(body).status_code == 404
    assert post(body, **{"X-Signature": right[:-1] + "x"}).status_code == 404
    assert post(body, **{"X-Signature": right}).status_code == 202
    settings.CALLBACK_SIGNING_KEY = ""
    contract_from_settings.cache_clear()
    with pytest.raises(ContractError, match="OFFISION_CALLBACK_SIGNING_KEY is not set"):
        contract_from_settings()


def test_the_secret_is_taken_out_of_what_is_logged():
    assert redact(f"POST /api/offision/callbacks/{SECRET}/?a=1") == "POST /api/offision/callbacks/***/?a=1"


def test_only_post(place, client, settings):
    settings.CALLBACK_SECRETS = [SECRET]
    assert client.get(reverse("callback", args=[SECRET])).status_code == 405
