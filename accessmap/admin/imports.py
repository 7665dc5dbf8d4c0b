"""Imports: upload a sheet, see what its check says, import it, undo it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accessmap.imports import SHEETS, service
from accessmap.imports.reader import SheetError, check_size
from accessmap.models import MapImport
from portal.core.admin.read_only import ReadOnlyAdmin


class UploadForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What is in it"), choices=MapImport.Kind.choices)
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("A .xlsx file, or a .csv file in UTF-8; up to 20,000 rows and 5 MiB."),
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}),
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        try:
            check_size(file.size or 0)
        except SheetError as error:
            raise ValidationError(str(error.problem)) from error
        return file


@admin.register(MapImport)
class MapImportAdmin(ReadOnlyAdmin):
    list_display = ["file_name", "kind", "state", "uploaded_at", "actor", "created", "changed", "unchanged", "errors"]
    list_filter = ["kind", "state"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)  # an upload

    def get_urls(self) -> list[URLPattern]:
        actions: dict[str, Callable[..., None]] = {
            "carry-out": service.carry_out,
            "undo": service.undo,
            "drop": lambda pk, *, user: service.drop(pk),
        }
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(self._action_view(action)),
                name=f"accessmap_mapimport_{name.replace('-', '_')}",
            )
            for name, action in actions.items()
        ] + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Upload a sheet."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None, initial={"kind": request.GET.get("kind", "")})
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            row = service.upload(
                kind=form.cleaned_data["kind"], name=file.name, content=file.read(), user=_user(request)
            )
            return HttpResponseRedirect(reverse("admin:accessmap_mapimport_change", args=[row.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import a sheet"),
            "opts": self.opts,
            "form": form,
            "columns": [(MapImport.Kind(kind).label, sheet.columns) for kind, sheet in SHEETS.items()],
        }
        return TemplateResponse(request, "admin/accessmap/mapimport/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """How far an import is, and the result of its check."""
        row = get_object_or_404(MapImport.objects.defer("content"), pk=object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if service.needs_worker(row):
            service.wake_worker(row.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": row.file_name,
            "subtitle": capfirst(row.get_kind_display()),
            "opts": self.opts,
            "row": row,
            "states": MapImport.State,
            "working": row.state in MapImport.WORK,
            "may_act": self.has_add_permission(request),
            "abridged": len(row.change_rows) < row.created + row.changed,
        }
        return TemplateResponse(request, "admin/accessmap/mapimport/page.html", context)

    def _action_view(self, action: Callable[..., None]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_add_permission(request):
                raise PermissionDenied
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            get_object_or_404(MapImport.objects.only("pk"), pk=pk)
            try:
                action(pk, user=_user(request))
            except service.NotNow as error:
                self.message_user(request, str(error.problem), messages.WARNING)
            return HttpResponseRedirect(reverse("admin:accessmap_mapimport_change", args=[pk]))

        return view


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin requires a login
    return request.user
