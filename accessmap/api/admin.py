"""API keys in the admin: administrators make them, see them once, and revoke them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accessmap.api.models import ApiKey, Scope
from portal.audit.models import record
from portal.core import clock
from portal.core.admin.labels import LabelledFields


class NewKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        # Called for each form, so that each has its reader's language.
        choices=lambda: [(scope.value, f"{scope.value} – {scope.label}") for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Scopes"),
        help_text=gettext_lazy("Give it no more than it needs. They can't be changed later; make another key instead."),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "expiry_date"]
        labels = {"name": gettext_lazy("name")}
        help_texts = {"name": gettext_lazy("Who uses it, such as “HR nightly”. The audit log shows it.")}

    class Media:
        css = {"all": ["api/keys.css"]}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("Must not contain unprintable characters."))
        return name

    def clean_expiry_date(self) -> Any:
        expires = self.cleaned_data["expiry_date"]
        if expires is not None and expires <= clock.now():
            raise forms.ValidationError(_("This is past: the key could never be used."))
        return expires


@admin.register(ApiKey)
class ApiKeyAdmin(LabelledFields, admin.ModelAdmin):
    list_display = ["name", "state", "last_used", "expiry_date", "scope_names", "prefix"]
    list_filter = ["revoked"]
    list_select_related = ["use"]
    search_fields = ["name", "prefix"]
    ordering = ["-created"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).select_related("use")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        if obj is None:
            return ["name", "scopes", "expiry_date"]
        return ["name", "prefix", "scope_names", "created", "expiry_date", "last_used", "state", "revoked"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["name", "prefix", "scope_names", "created", "expiry_date", "last_used", "state"]
        return [*fixed, "revoked"] if obj.revoked else fixed

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # it is revoked instead, and the log goes on naming it

    @admin.display(description=gettext_lazy("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked:
            return _("revoked")
        return _("expired") if key.expired(clock.now()) else _("valid")

    @admin.display(description=gettext_lazy("last used"), ordering="use__last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return clock.local(key.use.last_used_at) if hasattr(key, "use") else _("never")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        actor = request.user.get_username()
        if change:
            with transaction.atomic():
                obj.save()
                if obj.revoked and "revoked" in form.changed_data:
                    record(actor=actor, action="api_key.revoked", on=obj, detail={"key": obj.prefix})
            return
        with transaction.atomic():
            key = ApiKey.objects.assign_key(obj)
            obj.save()
            record(actor=actor, action="api_key.made", on=obj, detail={"key": obj.prefix, "scopes": obj.scopes})
        text = _("It goes into the header “Authorization: Api-Key KEY” of each request. The key, shown this once:")
        messages.warning(request, format_html("{} <code>{}</code>", text, key))
