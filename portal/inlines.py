"""Inline tables of the admin whose fields have names for those who can't see the column they stand in."""

from typing import Any

from django.contrib import admin
from django.forms import Field
from django.http import HttpRequest


class LabelledInline(admin.TabularInline):
    """A table whose every field says what it is; Django's own leaves that to the column's head."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Field | None:
        field: Field | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            inner: Any = getattr(field.widget, "widget", field.widget)  # a related field's is wrapped in its buttons
            inner.attrs.setdefault("aria-label", str(field.label or db_field.verbose_name))
        return field
