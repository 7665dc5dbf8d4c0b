"""Who may ask for what, and how often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.api import authentication
from accessmap.api.models import ApiKey, ApiKeyUse, Scope
from accessmap.models import Card, Cardholder
from portal import roles
from portal.core import clock
from tests.entries import acts

NOW = datetime(2026, 3, 10, 1, 0, 30, tzinfo=UTC)


@pytest.fixture
def card(db):
    mei = Cardholder.objects.create(name="Mei", email="mei@pier.example")
    return Card.objects.create(cardholder=mei, number="10058400")


@pytest.mark.parametrize("shown", [None, "", "nonsense", "abcdefgh.wrong", "ab\x00cd.ef", "ключ.ключ", "x" * 5000])
def test_without_a_key_of_ours_nothing_is_told(caller, shown):
    hr = caller()
    hr.secret = shown or ""
    answer = hr("GET", "doors")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Api-Key"
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_revoked_key_and_one_at_its_expiry_are_refused_at_once(caller):
    hr = caller(expiry_date=NOW)
    with clock.stopped_at(NOW - timedelta(seconds=1)):
        assert hr("GET", "doors").status_code == 200
    with clock.stopped_at(NOW):
        assert "expired" in hr("GET", "doors").json()["detail"]
    gone = caller()
    ApiKey.objects.filter(pk=gone.key.pk).update(revoked=True)
    assert gone("GET", "doors").status_code == 401


READS = {
    "cardholders": Scope.READ_CARDHOLDERS,
    "cards": Scope.READ_CARDS,
    "access-levels": Scope.READ_ACCESS_LEVELS,
    "resources": Scope.READ_RESOURCES,
    "doors": Scope.READ_DOORS,
    "permissions": Scope.READ_PERMISSIONS,
}


@pytest.mark.parametrize(("path", "needed"), READS.items())
def test_each_list_needs_its_own_scope_and_no_other_opens_it(caller, path, needed):
    writing = needed.replace("read:", "write:")
    others = caller(*(scope for scope in Scope if scope not in (needed, writing)))("GET", path)
    assert others.status_code == 403
    assert needed.value in others.json()["detail"]
    assert caller(needed)("GET", path).status_code == 200


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "cardholders", {"email": "a@b.example", "name": "A"}),
    ("PATCH", "cardholders/{person}", {"name": "A"}),
    ("DELETE", "cardholders/{person}", None),
    ("PUT", "cardholders/bulk", {"cardholders": []}),
    ("POST", "cards", {"cardholder": 1, "number": "9"}),
    ("PATCH", "cards/{card}", {"status": "lost"}),
    ("DELETE", "cards/{card}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_keys_that_read_change_nothing(caller, card, method, path, body):
    reader = caller(*(scope for scope in Scope if scope.startswith("read:")))
    answer = reader(method, path.format(person=card.cardholder_id, card=card.pk), body)
    assert answer.status_code == 403
    card.refresh_from_db()
    assert (Cardholder.objects.count(), card.status, card.cardholder.name) == (1, "active", "Mei")
    assert not acts().exists()


def test_people_alone_give_no_cards_no_access_levels_and_no_deletion(caller, card):
    people = caller(Scope.WRITE_CARDHOLDERS)
    row = {"email": "mei@pier.example", "name": "Mei"}
    assert people("PUT", "cardholders/bulk", {"cardholders": [row]}).status_code == 200
    for more in ({"cards": []}, {"access_levels": []}):
        assert people("PUT", "cardholders/bulk", {"cardholders": [{**row, **more}]}).status_code == 403
    assert people("PATCH", f"cardholders/{card.cardholder_id}", {"access_levels": []}).status_code == 403
    assert people("POST", "cardholders", {**row, "email": "x@y.example", "access_levels": []}).status_code == 403
    assert people("DELETE", f"cardholders/{card.cardholder_id}").status_code == 403


def test_card_numbers_are_whole_for_those_only_who_may_see_them(caller, card):
    masked, whole = caller(Scope.WRITE_CARDS), caller(Scope.READ_CARDS, Scope.READ_CARD_NUMBERS)
    for path in ("cards", f"cards/{card.pk}"):
        assert "10058400" not in masked("GET", path).content.decode()
        assert "10058400" in whole("GET", path).content.decode()
    assert "10058400" not in masked("PATCH", f"cards/{card.pk}", {"status": "lost"}).content.decode()
    assert masked("GET", "cards?number=10058400").status_code == 403, "nor may they be guessed"
    assert [row["id"] for row in whole("GET", "cards?number=10058400").json()["results"]] == [card.pk]


def test_so_many_requests_a_minute_for_each_key_counted_in_the_database(caller, monkeypatch):
    monkeypatch.setattr(authentication, "REQUESTS_A_MINUTE", 2)
    hr, other = caller(), caller(name="other")
    with clock.stopped_at(NOW):
        assert [hr("GET", "doors").status_code for _ in range(3)] == [200, 200, 429]
        turned_away = hr("GET", "doors")
        assert turned_away.headers["Retry-After"] == "30"
        assert other("GET", "doors").status_code == 200
    with clock.stopped_at(NOW + timedelta(seconds=30)):
        assert hr("GET", "doors").status_code == 200
    assert ApiKeyUse.objects.get(key=hr.key).last_used_at == NOW + timedelta(seconds=30)


@pytest.fixture
def as_role(client, db):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)

    return log_in


NEW = {"name": "HR nightly", "scopes": [Scope.READ_CARDS.value], "expiry_date_0": "", "expiry_date_1": ""}


def test_administrators_make_a_key_see_it_once_and_revoke_it_for_good(client, as_role, hr):
    as_role(roles.ADMINISTRATOR)
    add, listed = reverse("admin:api_apikey_add"), reverse("admin:api_apikey_changelist")
    page = client.post(add, NEW, follow=True).content.decode()
    key = ApiKey.objects.get(name="HR nightly")
    assert f"{key.prefix}." in page, "it is shown"
    assert f"{key.prefix}." not in client.get(listed).content.decode(), "this once"
    hr.secret = f"{key.prefix}.{page.split(f'{key.prefix}.', 1)[1][:32]}"
    assert hr("GET", "cards").status_code == 200
    assert hr("GET", "doors").status_code == 403
    change = reverse("admin:api_apikey_change", args=[key.pk])
    client.post(change, {"scopes": [scope.value for scope in Scope], "name": "else"})
    key.refresh_from_db()
    assert (key.scopes, key.name) == ([Scope.READ_CARDS], "HR nightly"), "settled when it was made"
    client.post(change, {"revoked": "on"})
    assert hr("GET", "cards").status_code == 401
    client.post(change, {})
    assert hr("GET", "cards").status_code == 401, "for good"
    assert "revoked" in client.get(listed).content.decode()
    assert client.get(reverse("admin:api_apikey_delete", args=[key.pk])).status_code == 403
    assert list(acts().order_by("id").values_list("actor", "action")) == [
        (roles.ADMINISTRATOR, "api_key.made"),
        (roles.ADMINISTRATOR, "api_key.revoked"),
    ]
    told = str(list(acts().values()))
    assert key.prefix in told
    assert hr.secret not in told
    assert key.hashed_key not in told


def test_a_key_that_could_do_nothing_or_is_past_is_not_made(client, as_role):
    as_role(roles.ADMINISTRATOR)
    for wrong in (
        {"scopes": []},
        {"scopes": ["write:everything"]},
        {"expiry_date_0": "2020-01-01", "expiry_date_1": "00:00"},
    ):
        assert client.post(reverse("admin:api_apikey_add"), {**NEW, **wrong}).status_code == 200
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("role", [roles.FACILITY_STAFF, roles.SECURITY, roles.INTEGRATOR])
def test_nobody_else_makes_or_sees_keys(client, as_role, hr, role):
    as_role(role)
    assert "/admin/api/" not in client.get(reverse("admin:index")).content.decode()
    for name, args in (("changelist", []), ("add", []), ("change", [hr.key.pk])):
        address = reverse(f"admin:api_apikey_{name}", args=args)
        assert client.get(address).status_code == 403
        assert client.post(address, {**NEW, "revoked": "on"}).status_code == 403
    hr.key.refresh_from_db()
    assert not hr.key.revoked


def test_the_description_is_for_staff_and_for_keys(client, hr):
    assert client.get("/api/v1/docs/").status_code == 302
    assert client.get("/api/v1/schema/").status_code == 401
    client.force_login(User.objects.create_user("visitor", password="x"))
    assert client.get("/api/v1/docs/").status_code == 302
    assert client.get("/api/v1/schema/").status_code == 403
    assert hr("GET", "schema/").status_code == 200
    client.force_login(User.objects.create_user("staff", password="x", is_staff=True))
    page = client.get("/api/v1/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "//cdn" not in page
    assert client.get("/api/v1/docs/?script=").status_code == 200
    assert b"/api/v1/cardholders/bulk" in client.get("/api/v1/schema/").content
