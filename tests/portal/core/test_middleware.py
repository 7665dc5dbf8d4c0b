"""Only requests of people carry a context into the database."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from accessmap.models import AccessLevel
from portal.audit.models import Entry
from portal.core.middleware import StaffHistoryMiddleware

pytestmark = pytest.mark.django_db


def write(request):
    AccessLevel.objects.create(name="Guests")
    return HttpResponse()


@pytest.fixture
def post(rf):
    def send(user, **cookies):
        request = rf.post("/anywhere/")
        request.user, request.COOKIES = user, cookies
        with CaptureQueriesContext(connection) as captured:
            StaffHistoryMiddleware(write)(request)
        return any("set_config" in query["sql"] for query in captured.captured_queries)

    return send


def test_a_signed_in_persons_writes_carry_their_name(post):
    assert post(User.objects.create_user("ann"), sessionid="x")
    assert Entry.objects.get(action="accessmap.accesslevel.added").actor == "ann"


def test_a_device_pays_nothing(post):
    assert not post(AnonymousUser())
    assert Entry.objects.get(action="accessmap.accesslevel.added").actor == "portal"


def test_an_anonymous_session_has_no_name(post):
    assert post(AnonymousUser(), sessionid="x")
    assert Entry.objects.get(action="accessmap.accesslevel.added").actor == "portal"
