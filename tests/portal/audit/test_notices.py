"""Whoever may read the log sees that its seals are broken; recipients are told, and told when it is over."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from doorsync.models.notices import Notice, Recipient
from doorsync.notices import delivery
from portal import roles
from portal.audit import sealer, verifying
from portal.audit.models import Seal, record
from portal.core import clock
from tests.places import NOW
from tests.portal.audit.test_seals import as_superuser

LIST = "/admin/audit/seal/"


@pytest.fixture
def sealed(place):
    with transaction.atomic():
        pk = record(actor="ann", action="plan.approve", on=None).pk
    sealer.seal()
    verifying.check_seals()
    return pk


def tamper(pk: int, actor: str = "bob") -> None:
    as_superuser("UPDATE audit_entry SET actor = %s WHERE id = %s", actor, pk)
    verifying.check(everything=True)


def look(start: float, end: float) -> None:
    for half in range(int(start * 2), int(end * 2) + 1):
        with clock.stopped_at(NOW + timedelta(minutes=half / 2)):
            delivery.send_notices()


@pytest.fixture
def page(client):
    def as_role(role):
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)
        return client

    return as_role


def test_a_broken_seal_is_told_at_once_and_its_end_when_a_check_passes(sealed):
    Recipient.objects.create(name="Ann", email="ann@pier.example", kinds=["seals"], notified_until=NOW, digest_at=NOW)
    look(0, 2)
    assert not mail.outbox
    tamper(sealed)
    look(2.5, 3)
    (begun,) = mail.outbox
    assert begun.subject == "Needs attention: broken seals of the audit log"
    assert f"Entry {sealed} was changed after seal {Seal.objects.get().pk}." in begun.body
    assert LIST in begun.body
    look(3.5, 20)
    assert len(mail.outbox) == 1
    tamper(sealed, "ann")
    look(20.5, 30)
    assert [m.subject for m in mail.outbox[1:]] == ["Resolved: broken seals of the audit log"]
    assert Notice.objects.get(kind="seals").ended_at is not None


@pytest.mark.parametrize("role", roles.ROLES)
def test_home_says_so_to_those_who_may_read_the_log(sealed, page, role):
    with clock.stopped_at(NOW):
        assert LIST not in page(role).get("/admin/").content.decode().partition('id="content-main"')[0]
        tamper(sealed)
        is_shown = "The seals of the audit log are broken" in page(role).get("/admin/").content.decode()
    may = role in (roles.SECURITY, roles.ADMINISTRATOR)
    assert is_shown is may
    answer = page(role).get(LIST)
    assert answer.status_code == (200 if may else 403)
    if may:
        assert f"Entry {sealed} was changed after seal 1." in answer.content.decode()


def test_the_list_says_that_all_is_in_order_and_counts_nothing(sealed, page):
    client = page(roles.SECURITY)
    assert "In order up to seal 1" in client.get(LIST).content.decode()
    with CaptureQueriesContext(connection) as queries:
        client.get(LIST)
    assert not [q["sql"] for q in queries if "COUNT(" in q["sql"] and "audit_" in q["sql"]]
    assert client.get(f"{LIST}1/change/").status_code == 200
    assert client.post(f"{LIST}1/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
