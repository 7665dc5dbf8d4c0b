"""What became of the map's rows, and changes put back."""

import pghistory
import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import AccessLevel, AccessPolicy, Card, Cardholder, PolicyAlways
from portal import roles
from portal.audit.models import Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_role(client):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return user

    return log_in


@pytest.fixture
def mei():
    mei = Cardholder.objects.create(name="Mei", email="mei@pier.example")
    Card.objects.create(cardholder=mei, number="10058400")
    return mei


def history_of(row):
    return reverse(f"admin:accessmap_{row._meta.model_name}_history", args=[row.pk])


def press(client, page, row, label):
    event = type(row).pgh_event_model.objects.filter(pgh_obj_id=row.pk, pgh_label=label).latest("pgh_id")
    return client.post(page, {"model": row._meta.model_name, "event": event.pgh_id}, follow=True)


def shown_changes(page):
    return [
        (change.what, str(change.verb), [(d.field, d.before, d.after) for d in change.differences])
        for change, _may in page.context["changes"]
    ]


def test_a_page_shows_the_history_of_a_person_and_their_cards(client, as_role, mei):
    user = as_role(roles.SECURITY)
    with pghistory.context(user=user.pk):
        Cardholder.objects.update(name="Mei Ling")
        Card.objects.update(status="lost")
    page = client.get(history_of(mei))
    changes = {change.verb: change for change, _may in page.context["changes"] if change.what}
    assert ("card", "changed", [("status", "active", "lost")]) in shown_changes(page)
    assert ("", "changed", [("name", "Mei", "Mei Ling")]) in shown_changes(page)
    assert changes["changed"].who == "Security"
    text = page.content.decode()
    assert "••••8400" in text
    assert "10058400" not in text
    assert "Change back" not in text, "Security changes nothing"


def test_a_lost_card_is_put_back_and_the_log_names_who_did_it(client, as_role, mei):
    card = Card.objects.get()
    Card.objects.update(status="lost")
    as_role(roles.SECURITY)
    assert press(client, history_of(mei), card, "update").status_code == 403
    assert Card.objects.get().status == "lost"
    as_role(roles.FACILITY_STAFF)
    assert "Change back" in client.get(history_of(mei)).content.decode()
    press(client, history_of(mei), card, "update")
    assert Card.objects.get().status == "active"
    assert Entry.objects.get(action="history.put_back").actor == roles.FACILITY_STAFF


def test_a_change_is_not_put_back_over_a_newer_one(client, as_role, mei):
    as_role(roles.FACILITY_STAFF)
    Cardholder.objects.update(name="Mei Ling")
    first = Cardholder.pgh_event_model.objects.latest("pgh_id")
    Cardholder.objects.update(name="Mei Ling Wong")
    page = client.post(history_of(mei), {"model": "cardholder", "event": first.pgh_id}, follow=True).content.decode()
    assert "It was changed again since" in page
    assert Cardholder.objects.get().name == "Mei Ling Wong"


def test_a_deleted_card_can_be_restored_unless_its_number_is_in_use(client, as_role, mei):
    as_role(roles.FACILITY_STAFF)
    card = Card.objects.get()
    Card.objects.all().delete()
    tom = Cardholder.objects.create(name="Tom")
    other = Card.objects.create(cardholder=tom, number="10058400")
    page = press(client, history_of(mei), card, "delete").content.decode()
    assert "already exists" in page
    other.delete()
    press(client, history_of(mei), card, "delete")
    assert Card.objects.get().pk == card.pk


def test_a_deleted_person_is_restored_with_cards_and_access_levels(client, as_role, mei):
    as_role(roles.FACILITY_STAFF)
    card = Card.objects.get()
    Cardholder.objects.all().delete()
    gone = reverse("admin:accessmap_cardholder_deleted")
    assert client.get(history_of(mei)).url == gone
    assert shown_changes(client.get(gone)) == [
        ("", "deleted", [("email", "mei@pier.example", "–"), ("name", "Mei", "–")])
    ]
    press(client, gone, mei, "delete")
    press(client, history_of(mei), card, "delete")
    assert Card.objects.get().cardholder == Cardholder.objects.get()
    assert shown_changes(client.get(gone)) == []


def test_restoring_needs_the_permission_to_add(client, as_role, mei):
    Cardholder.objects.all().delete()
    as_role(roles.INTEGRATOR)
    gone = reverse("admin:accessmap_cardholder_deleted")
    assert client.get(gone).status_code == 200
    assert press(client, gone, mei, "delete").status_code == 403
    assert not Cardholder.objects.exists()


def test_a_change_is_put_back_only_on_the_page_that_shows_it(client, as_role, mei):
    as_role(roles.FACILITY_STAFF)
    tom = Cardholder.objects.create(name="Tom")
    Cardholder.objects.filter(pk=mei.pk).update(name="X")
    assert press(client, history_of(tom), mei, "update").status_code == 404
    for nonsense in ({"model": "user", "event": 1}, {"model": "cardholder", "event": "x"}, {}):
        assert client.post(history_of(mei), nonsense).status_code == 404


def test_the_access_levels_of_a_policy_are_part_of_its_history(client, as_role):
    as_role(roles.FACILITY_STAFF)
    policy = AccessPolicy.objects.create(name="Staff")
    always = PolicyAlways.objects.create(policy=policy, access_level=AccessLevel.objects.create(name="Facilities"))
    added = ("access level that may always pass", "added", [("access level", "–", "Facilities")])
    assert added in shown_changes(client.get(history_of(policy)))
    press(client, history_of(policy), always, "insert")
    assert not policy.always_levels.exists()


def test_a_long_history_needs_few_queries_and_shows_its_latest_changes(
    client, as_role, mei, django_assert_max_num_queries
):
    as_role(roles.FACILITY_STAFF)
    for n in range(250):
        Cardholder.objects.update(name=f"Mei {n}")
    client.get(history_of(mei))
    with django_assert_max_num_queries(16):
        page = client.get(history_of(mei))
    assert shown_changes(page)[-1][2][0][1] != "?", "also the oldest shown says what was before"
    assert len(shown_changes(page)) == 200
