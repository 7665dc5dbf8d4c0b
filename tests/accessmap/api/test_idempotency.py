"""The same request twice is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accessmap.api import idempotency, services
from accessmap.api.models import GivenAnswer
from accessmap.models import Card, Cardholder
from portal.core import clock
from tests.entries import acts

NOW = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
MEI = {"email": "mei@pier.example", "name": "Mei"}
AGAIN = {"idempotency-key": "run-17"}


def test_the_first_answer_is_given_again_for_a_day(hr):
    with clock.stopped_at(NOW):
        first = hr("POST", "cardholders", MEI, **AGAIN)
    with clock.stopped_at(NOW + timedelta(hours=24, seconds=-1)):
        second = hr("POST", "cardholders", MEI, **AGAIN)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (Cardholder.objects.count(), acts().count()) == (1, 1)
    with clock.stopped_at(NOW + timedelta(hours=24)):
        assert hr("POST", "cardholders", MEI, **AGAIN).status_code == 400, "done anew, and there is one already"


def test_a_no_is_an_answer_too_and_a_deletion(hr):
    wrong = {**MEI, "name": ""}
    answers = [hr("POST", "cardholders", wrong, **AGAIN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert answers[1].headers["Content-Type"] == "application/problem+json"
    assert answers[1].json() == answers[0].json()
    mei = Cardholder.objects.create(**MEI)
    delete = [hr("DELETE", f"cardholders/{mei.pk}", **{"idempotency-key": "x"}) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in delete] == [(204, b""), (204, b"")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "cardholders", {**MEI, "name": "Other"}),
        ("POST", "cards", MEI),
        ("PUT", "cardholders/bulk", MEI),
    ],
)
def test_another_request_with_the_same_key_is_refused(hr, method, path, body):
    hr("POST", "cardholders", MEI, **AGAIN)
    answer = hr(method, path, body, **AGAIN)
    assert (answer.status_code, "another request" in answer.json()["detail"]) == (422, True)
    assert Cardholder.objects.get().name == "Mei"


def test_keys_of_others_are_others(hr, caller):
    hr("POST", "cardholders", MEI, **AGAIN)
    assert caller(name="other")("POST", "cardholders", {**MEI, "email": "x@y.example"}, **AGAIN).status_code == 201


@pytest.mark.parametrize("name", ["", "x" * 201, "é", "a\tb"])
def test_a_key_that_could_not_be_kept_is_refused(hr, name):
    assert hr("POST", "cardholders", MEI, **{"idempotency-key": name}).status_code == 400
    assert not Cardholder.objects.exists()


def test_what_broke_is_not_kept(hr, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(services, "create_cardholder", lambda *a, **k: 1 / 0)
        assert hr("POST", "cardholders", MEI, **AGAIN).status_code == 500
    assert hr("POST", "cardholders", MEI, **AGAIN).status_code == 201


def test_old_answers_are_taken_away(hr):
    with clock.stopped_at(NOW):
        hr("POST", "cardholders", MEI, **AGAIN)
    with clock.stopped_at(NOW + timedelta(hours=24, seconds=-1)):
        idempotency.forget_old_answers()
        assert GivenAnswer.objects.exists()
    with clock.stopped_at(NOW + timedelta(hours=24)):
        idempotency.forget_old_answers()
    assert not GivenAnswer.objects.exists()


def _elsewhere(work):
    """Done by another process, as far as the database can tell."""

    def and_close():
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        return other.submit(and_close).result(timeout=20)


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_being_worked_on_the_second_is_told_so(hr, monkeypatch):
    create, seconds = services.create_cardholder, []

    def slowly(said, *, by):
        seconds.append(_elsewhere(lambda: hr("POST", "cardholders", MEI, **AGAIN)))
        return create(said, by=by)

    monkeypatch.setattr(services, "create_cardholder", slowly)
    assert hr("POST", "cardholders", MEI, **AGAIN).status_code == 201
    assert [answer.status_code for answer in seconds] == [409]
    assert hr("POST", "cardholders", MEI, **AGAIN).headers["Idempotent-Replayed"] == "true"
    assert Cardholder.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_is_overtaken_is_told_and_nothing_is_half_done(hr, monkeypatch):
    """Somebody gives the same card in the admin between our look and our write."""
    from accessmap.api import bulk

    tom = Cardholder.objects.create(name="Tom", email="tom@pier.example")
    apply = bulk._apply

    def overtaken(rows, by):
        _elsewhere(lambda: Card.objects.create(cardholder=tom, number="1001"))
        apply(rows, by)

    row = {**MEI, "cards": [{"number": "1001"}]}
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(bulk, "_apply", overtaken)
        answer = hr("PUT", "cardholders/bulk", {"cardholders": [row]}, **AGAIN)
    assert (answer.status_code, "Send it again" in answer.json()["detail"]) == (409, True)
    assert list(Cardholder.objects.values_list("name", flat=True)) == ["Tom"]
    again = hr("PUT", "cardholders/bulk", {"cardholders": [row]}, **AGAIN)
    assert "somebody else" in again.json()["results"][0]["errors"][0]["message"]
