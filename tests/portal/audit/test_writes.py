"""Every write to an audited model leaves an entry, whoever writes and by whatever way."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction

from accessmap.models import AccessLevel, AccessPolicy, Card, Cardholder, Controller, Door, Membership, Site
from doorsync.models.notices import Recipient
from portal.audit.actor import acting_as, process_name
from portal.audit.models import Entry, Unsealed
from visitors.models import Turnstile, TurnstileKey

pytestmark = pytest.mark.django_db


def written(code):
    return [(e.object_label, e.detail) for e in Entry.objects.filter(action=code).order_by("id")]


@pytest.fixture
def site():
    return Site.objects.create(name="Pier", time_zone="Asia/Hong_Kong")


def test_a_row_is_recorded_when_it_is_added_changed_and_deleted(site):
    site.name = "Harbour"
    site.save()
    site.save()
    pk = str(site.pk)
    site.delete()
    assert written("accessmap.site.added") == [
        ("Pier", {"name": [None, "Pier"], "time_zone": [None, "Asia/Hong_Kong"]})
    ]
    assert written("accessmap.site.changed") == [("Harbour", {"name": ["Pier", "Harbour"]})], (
        "saved twice, changed once"
    )
    assert [label for label, _detail in written("accessmap.site.deleted")] == ["Harbour"]
    entries = Entry.objects.filter(object_type="accessmap.Site", object_id=pk)
    assert entries.count() == 3
    assert Unsealed.objects.filter(entry_id__in=entries.values("id")).count() == 3


def test_bulk_writes_and_sql_are_recorded_row_by_row(site):
    AccessLevel.objects.bulk_create(AccessLevel(name=name) for name in ("a", "b"))
    AccessLevel.objects.filter(name="b").update(name="c")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accessmap_accesslevel SET name = name || '!'")
        cursor.execute("DELETE FROM accessmap_accesslevel")
    assert [label for label, _detail in written("accessmap.accesslevel.added")] == ["a", "b"]
    changes = [detail["name"] for _label, detail in written("accessmap.accesslevel.changed")]
    assert sorted(changes) == [["a", "a!"], ["b", "c"], ["c", "c!"]]
    assert len(written("accessmap.accesslevel.deleted")) == 2


def test_an_entry_is_rolled_back_with_its_write(site):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        AccessLevel.objects.create(name="a")
        1 / 0  # noqa: B018
    assert not written("accessmap.accesslevel.added")


def test_foreign_keys_are_shown_by_label_and_card_numbers_masked(site):
    mei = Cardholder.objects.create(name="Mei", email="mei@pier.example")
    tom = Cardholder.objects.create(name="Tom")
    card = Card.objects.create(cardholder=mei, number="10012002")
    Card.objects.filter(pk=card.pk).update(cardholder=tom, number="77")
    Membership.objects.create(cardholder=mei, access_level=AccessLevel.objects.create(name="facilities"))
    mei.delete()
    ((label, detail),) = written("accessmap.card.added")
    assert label == "••••2002 (Mei)"
    assert detail["number"] == [None, "••••2002"]
    assert detail["cardholder"] == [None, "Mei <mei@pier.example>"]
    ((label, detail),) = written("accessmap.card.changed")
    assert detail == {"number": ["••••2002", "••••"], "cardholder": ["Mei <mei@pier.example>", "Tom"]}
    assert [label for label, _detail in written("accessmap.membership.deleted")] == ["Mei: facilities"]
    assert "10012002" not in str(list(Entry.objects.values()))


def test_secrets_and_digests_are_never_shown(site):
    box = Controller(site=site, name="box", driver="simulated")
    box.set_options({"url": "http://10.1.1.1", "token": "t0psecret"}, secret=["token"])
    box.save()
    gate = Turnstile.objects.create(site=site, name="gate", direction="in")
    key, secret = TurnstileKey.objects.create_key(name="gate", turnstile=gate)
    user = User.objects.create_user("ann", password="a-long-password")
    Recipient.objects.create(name="desk", channel="webhook", url="https://desk.example/T0KEN", secret="whsec_x")
    ((label, detail),) = written("auth.user.added")
    assert (label, detail["password"]) == ("ann", "changed")
    ((_label, detail),) = written("accessmap.controller.added")
    assert (detail["secrets"], detail["options"]) == ("written", "changed")
    stored = str(list(Entry.objects.values()))
    for hidden in ("t0psecret", "T0KEN", "whsec_x", user.password, secret, key.hashed_key):
        assert hidden not in stored
    assert Entry.objects.get(action="visitors.turnstilekey.added").object_id == key.prefix


def test_bookkeeping_is_no_change(site, client):
    user = User.objects.create_user("ann")
    client.force_login(user)
    assert User.objects.get().last_login is not None
    assert not written("auth.user.changed")


def test_accounts_roles_and_rights_are_recorded(db):
    user = User.objects.create_user("ann")
    user.groups.add(Group.objects.get(name="Security"))
    user.user_permissions.add(Permission.objects.get(codename="view_door"))
    Group.objects.get(name="Security").permissions.add(Permission.objects.get(codename="add_door"))
    user.delete()
    for code in ("auth.user_groups.added", "auth.user_groups.deleted"):
        assert [label for label, _detail in written(code)] == ["ann: Security"]
    assert [label for label, _detail in written("auth.user_user_permissions.added")] == ["ann: view_door"]
    assert [label for label, _detail in written("auth.group_permissions.added")] == ["Security: add_door"]
    assert written("auth.user.deleted")


def test_doors_are_named_with_their_controller(site):
    box = Controller.objects.create(site=site, name="box", driver="simulated")
    Door.objects.create(controller=box, number=1, name="Room door")
    assert written("accessmap.door.added")[0][0] == "box: Room door"
    policy = AccessPolicy.objects.create(name="staff")
    policy.admit_levels.add(AccessLevel.objects.create(name="facilities"))
    assert written("accessmap.policyadmits.added")[0][0] == "staff: facilities"


def actors():
    return list(Entry.objects.order_by("id").values_list("actor", flat=True))


def test_the_actor_is_the_innermost_that_acts(db):
    AccessLevel.objects.create(name="1")
    with acting_as("ann"):
        AccessLevel.objects.create(name="2")
        with acting_as("bob"):
            AccessLevel.objects.create(name="3")
        AccessLevel.objects.create(name="4")
    AccessLevel.objects.create(name="5")
    assert actors() == ["portal", "ann", "bob", "ann", "portal"]


def test_somebody_at_the_databases_prompt_is_named_by_their_role(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('portal.process', '', true), session_user")
        role = cursor.fetchone()[1]
        cursor.execute("INSERT INTO accessmap_accesslevel (name) VALUES ('a')")
    assert actors() == [f"database:{role}"]


@pytest.mark.django_db(transaction=True)
def test_the_actor_is_known_without_a_transaction_and_forgotten_after_a_failure():
    with acting_as("ann"):
        AccessLevel.objects.create(name="1")
    with pytest.raises(ZeroDivisionError), acting_as("bob"), transaction.atomic():
        AccessLevel.objects.create(name="2")
        1 / 0  # noqa: B018
    AccessLevel.objects.create(name="3")
    assert actors() == ["ann", "portal"]


def test_a_person_is_named_by_their_user_name(client, site):
    client.force_login(User.objects.create_superuser("chief"))
    client.post("/admin/accessmap/accesslevel/add/", {"name": "facilities"})
    assert Entry.objects.get(action="accessmap.accesslevel.added").actor == "chief"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/app/manage.py", "createsuperuser"], "manage.py createsuperuser"),
        (["manage.py", "run"], "portal"),
        (["/usr/bin/celery", "-A", "portal"], "portal"),
        (["manage.py"], "manage.py"),
        ([], "portal"),
    ],
)
def test_a_process_is_named_by_its_command(arguments, name):
    assert process_name(arguments) == name
