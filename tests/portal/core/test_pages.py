"""Pages for staff: who gets in, by which method, and what is read-only."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory

from portal.audit.models import Entry
from portal.core.admin.pages import render_staff_page, staff_action, staff_page
from portal.core.admin.read_only import ReadOnlyAdmin, ReadOnlyLongList

pytestmark = pytest.mark.django_db


@staff_page("accessmap.view_door", "accessmap.view_site")
def page(request, word):
    return HttpResponse(word)


@staff_action()
def action(request):
    return HttpResponse("done")


def ask(view, user, *args, method="get"):
    request = getattr(RequestFactory(), method)("/page/")
    request.user = user
    return view(request, *args)


@pytest.fixture
def staff():
    return User.objects.create_user("ann", is_staff=True)


def allow(user, *codenames):
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


def test_a_page_asks_for_sign_in_and_for_every_permission(staff):
    assert ask(page, AnonymousUser(), "x").status_code == 302
    assert ask(page, User.objects.create_user("no staff"), "x").status_code == 302
    with pytest.raises(PermissionDenied):
        ask(page, allow(staff, "view_door"), "x")
    response = ask(page, allow(staff, "view_door", "view_site"), "x")
    assert response.content == b"x"
    assert "no-store" in response["Cache-Control"]


def test_a_page_is_read_and_an_action_is_posted(staff):
    staff = allow(staff, "view_door", "view_site")
    assert ask(page, staff, "x", method="head").status_code == 200
    assert ask(page, staff, "x", method="post").status_code == 405
    assert ask(action, staff).status_code == 405
    assert ask(action, staff, method="post").content == b"done"


def test_a_rendered_page_has_the_menu_of_the_admin(rf, staff):
    request = rf.get("/page/")
    request.user = staff
    response = render_staff_page(request, "admin/base_site.html", "The title", {"subtitle": "below"}, status=409)
    assert response.status_code == 409
    assert "The title" in response.content.decode()


@pytest.mark.parametrize("kind", [ReadOnlyAdmin, ReadOnlyLongList])
def test_a_read_only_admin_refuses_even_superusers(rf, kind):
    request = rf.get("/")
    request.user = User.objects.create_superuser("chief")
    model_admin = kind(Entry, admin.site)
    assert model_admin.has_view_permission(request)
    assert not model_admin.has_add_permission(request)
    assert not model_admin.has_change_permission(request)
    assert not model_admin.has_delete_permission(request)
