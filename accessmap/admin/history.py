"""The history of a row of the map, from pghistory's events, with a button that puts a change back."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from accessmap.services import history

# The permission that is needed to put back each kind of change.
_NEEDED = {history.INSERTED: "delete", history.UPDATED: "change", history.DELETED: "add"}


class WithHistory:
    """A ModelAdmin whose history pages show pghistory's events: the admin's own log knows its own changes only."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The changes of one row; a POST puts a change back."""
        admin: Any = self
        row = admin.get_object(request, unquote(object_id))
        if row is None:
            return HttpResponseRedirect(self._deleted_url())
        if not admin.has_view_or_change_permission(request, row):
            raise PermissionDenied
        here = reverse(f"{self._url_name()}_history", args=[row.pk])
        if request.method == "POST":
            return self._put_back(request, here, row)
        title = _("History of %(name)s") % {"name": row}
        return self._page(request, title, history.changes_of(row), row=row)

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """The latest deletions; a POST brings a row back."""
        admin: Any = self
        if not admin.has_view_or_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._put_back(request, self._deleted_url(), None)
        title = _("Deleted: %(names)s") % {"names": admin.opts.verbose_name_plural}
        return self._page(request, title, history.deletions(admin.model), row=None)

    def get_urls(self) -> list[URLPattern]:
        admin: Any = self
        deleted = path(
            "deleted/",
            admin.admin_site.admin_view(self.deleted_view),
            name=f"{admin.opts.app_label}_{admin.opts.model_name}_deleted",
        )
        return [deleted, *super().get_urls()]  # type: ignore[misc]

    def _url_name(self) -> str:
        opts = self.opts  # type: ignore[attr-defined]
        return f"admin:{opts.app_label}_{opts.model_name}"

    def _deleted_url(self) -> str:
        return reverse(f"{self._url_name()}_deleted")

    def _page(
        self, request: HttpRequest, title: str, changes: list[history.Change], *, row: models.Model | None
    ) -> HttpResponse:
        admin: Any = self
        context = {
            **admin.admin_site.each_context(request),
            "title": title,
            "opts": admin.opts,
            "original": row,
            "shown": history.SHOWN,
            "changes": [(change, _may(request, change.app, change.model, change.kind)) for change in changes],
        }
        return TemplateResponse(request, "admin/accessmap/history.html", context)

    def _put_back(self, request: HttpRequest, here: str, row: models.Model | None) -> HttpResponse:
        """Put back the change that the form names, if this page shows it."""
        admin: Any = self
        whole = admin.model if row is None else type(row)
        name = request.POST.get("model", "")
        model = next((part for part in history.models_on_page_of(whole) if part._meta.model_name == name), None)
        key = request.POST.get("event", "")
        event = history.event_of(model, int(key)) if model and key.isdigit() and len(key) < 19 else None
        if model is None or event is None or (row is not None and history.page_of(model, event) != (whole, row.pk)):
            raise Http404
        if not _may(request, model._meta.app_label, name, event.pgh_label):
            raise PermissionDenied
        try:
            done = history.put_back(model, event.pgh_id, actor=request.user.get_username())
        except history.CannotPutBack as error:
            admin.message_user(request, str(error.problem), messages.ERROR)
        else:
            admin.message_user(request, str(done), messages.SUCCESS)
        gone = row is not None and not type(row)._default_manager.filter(pk=row.pk).exists()
        return HttpResponseRedirect(self._deleted_url() if gone else here)


def _may(request: HttpRequest, app: str, model: str, kind: str) -> bool:
    return kind in _NEEDED and request.user.has_perm(f"{app}.{_NEEDED[kind]}_{model}")
