"""Admin forms whose every field has a name for screen readers."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime, AutocompleteSelect
from django.forms import BaseInlineFormSet, CheckboxInput, Field
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _


class _NamedAutocomplete(AutocompleteSelect):
    """Shows the name of the field while nothing is chosen: an empty box has no other name."""

    class Media:
        js = ["portal/autocomplete.js"]

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().build_attrs(*args, **kwargs), "data-placeholder": capfirst(self.field.verbose_name)}


class LabelledFields:
    """For a ModelAdmin: names the fields that Django leaves without a name."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        admin: Any = self
        if "widget" not in kwargs and db_field.name in admin.get_autocomplete_fields(request):
            kwargs["widget"] = _NamedAutocomplete(db_field, admin.admin_site, using=kwargs.get("using"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and isinstance(field.widget, AdminSplitDateTime):
            for widget, part in zip(field.widget.widgets, (_("Date:"), _("Time:")), strict=True):
                widget.attrs["aria-label"] = f"{field.label}, {part}"
        return field


class _Delete(CheckboxInput):
    def __init__(self) -> None:
        super().__init__(attrs={"aria-label": _("Delete?")})


class _LabelledFormSet(BaseInlineFormSet):
    deletion_widget = _Delete


class LabelledInline(LabelledFields, admin.TabularInline):
    """A table whose every field has a name; Django's own names only the columns."""

    formset = _LabelledFormSet

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Field | None:
        field: Field | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and not isinstance(field.widget, AdminSplitDateTime):
            inner: Any = getattr(
                field.widget, "widget", field.widget
            )  # a related field's widget is wrapped with buttons
            inner.attrs.setdefault("aria-label", str(field.label or db_field.verbose_name))
        return field
