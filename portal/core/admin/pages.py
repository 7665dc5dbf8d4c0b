"""Pages for staff beside the admin's own."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

View = Callable[..., HttpResponse]


def staff_page(*permissions: str, methods: Iterable[str] = ("GET", "HEAD")) -> Callable[[View], View]:
    """Decorate a view for staff: sign-in first, then 405 for other methods, then 403 without all the permissions.

    Its answers are never cached.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return never_cache(staff_member_required(require_http_methods(list(methods))(checked)))

    return decorate


def staff_action(*permissions: str) -> Callable[[View], View]:
    """Decorate a view that does something: like `staff_page`, for POST only."""
    return staff_page(*permissions, methods=["POST"])


def render_staff_page(
    request: HttpRequest, template: str, title: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render a template that extends the admin's, with the admin site's context and a title."""
    return render(
        request, template, {**admin_site.each_context(request), "title": title, **(context or {})}, status=status
    )
