"""The buttons Import and Export above a list of the map."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.timezone import localtime

from accessmap.admin.masking import keeps_cards
from accessmap.imports import SHEETS
from accessmap.models import MapImport
from portal.audit.models import record_alone
from portal.core import clock

_CONTENT_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class WithSheets:
    """A ModelAdmin whose list can be exported as a sheet, and changed by importing one."""

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
        """The list, searched and filtered as it is, as a file. The log notes who exported it."""
        admin: Any = self
        if not admin.has_view_permission(request):
            raise PermissionDenied
        if ending not in _CONTENT_TYPES:
            raise Http404
        rows = admin.get_changelist_instance(request).get_queryset(request)
        whole = keeps_cards(request)
        dataset = SHEETS[self.sheet].export(rows, whole_numbers=whole)
        content = dataset.export(ending)
        if isinstance(content, str):
            content = content.encode("utf-8-sig")  # without a byte order mark, spreadsheets guess another encoding
        record_alone(
            actor=request.user.get_username(),
            action="map.export",
            on=None,
            label=self.sheet.value,
            detail={"rows": len(dataset), "format": ending, "whole_card_numbers": whole},
        )
        name = f"{self.sheet.value}-{localtime(clock.now()):%Y-%m-%d}.{ending}"
        return HttpResponse(
            content,
            content_type=_CONTENT_TYPES[ending],
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )
