"""The buttons Import and Export above a list of the map."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.timezone import localtime
from import_export.formats.base_formats import CSV, XLSX

from accessmap.admin.masking import keeps_cards
from accessmap.imports import SHEETS
from accessmap.models import MapImport
from portal.audit.models import record_alone
from portal.core import clock

_FORMATS = {"csv": CSV, "xlsx": XLSX}


class WithSheets:
    """A ModelAdmin whose list can be had as a sheet, and changed by one."""

    sheet: ClassVar[MapImport.Kind]
    change_list_template: ClassVar[Any] = "admin/accessmap/sheets_change_list.html"

    def get_urls(self) -> list[URLPattern]:
        admin: Any = self
        export = path(
            "sheet/<str:ending>/",
            admin.admin_site.admin_view(self.export_view),
            name=f"{admin.opts.app_label}_{admin.opts.model_name}_sheet",
        )
        return [export, *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        more = {"sheet": self.sheet.value, "sheet_query": request.GET.urlencode()}
        return super().changelist_view(request, {**(extra_context or {}), **more})  # type: ignore[misc, no-any-return]

    def export_view(self, request: HttpRequest, ending: str) -> HttpResponse:
        """What the list shows, searched and filtered as it is, as a file. The log notes who took it."""
        admin: Any = self
        if not admin.has_view_permission(request):
            raise PermissionDenied
        if ending not in _FORMATS:
            raise Http404
        rows = admin.get_changelist_instance(request).get_queryset(request)
        whole = keeps_cards(request)
        dataset = SHEETS[self.sheet](whole_numbers=whole).export(rows)
        form = _FORMATS[ending]()
        content = form.export_data(dataset)
        if isinstance(content, str):
            content = content.encode("utf-8-sig")  # without its mark, spreadsheets take UTF-8 for something else
        record_alone(
            actor=request.user.get_username(),
            action="map.export",
            on=None,
            label=str(self.sheet.label),
            detail={"rows": len(dataset), "format": ending, "whole_card_numbers": whole},
        )
        name = f"{self.sheet.value}-{localtime(clock.now()):%Y-%m-%d}.{ending}"
        return HttpResponse(
            content,
            content_type=form.get_content_type(),
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )
