"""Controllers in the admin: a form with a named field for each option of the driver."""

from typing import Any, Literal, get_args, get_origin

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from accessmap.models import Controller, Door
from doorsync.drivers import driver_class, driver_for
from doorsync.drivers.base import BadOptions, Capabilities, Driver, Granularity, Hold, validated
from doorsync.drivers.options import form_fields
from portal.core import clock
from portal.core.admin.labels import LabelledInline

_PREFIX = "option_"


def form_field(info: FieldInfo, *, stored: bool) -> forms.Field:
    """The form field of a driver's option. `stored`: a blank secret keeps its stored value."""
    required = info.is_required()
    common: dict[str, Any] = {"label": capfirst(info.title), "help_text": info.description or "", "required": required}
    if get_origin(info.annotation) is Literal:
        choices = [(str(value), str(value)) for value in get_args(info.annotation)]
        return forms.ChoiceField(**common, choices=choices, initial=str(info.default))
    if info.annotation is bool:
        return forms.BooleanField(**{**common, "required": False}, initial=bool(info.default))
    if info.annotation is SecretStr:
        if stored:
            common["help_text"] = _("Stored, and not shown. Leave blank to keep it.") + f" {common['help_text']}"
        widget = forms.PasswordInput(attrs={"autocomplete": "off"})
        return forms.CharField(**{**common, "required": required and not stored}, widget=widget)
    initial = None if required else info.default
    if info.annotation is int:
        return forms.IntegerField(**common, initial=initial)
    if info.annotation is float:
        return forms.FloatField(**common, initial=initial)
    return forms.CharField(**common, initial=initial)


def capabilities_in_words(capabilities: Capabilities) -> list[str]:
    """What a controller can and can't do, for staff."""
    sentences = [
        {
            Granularity.CARD_AND_DOOR: _("Time windows for each card and door: access ends by itself."),
            Granularity.CARD: _("One time window per card: the portal must be up when several follow one another."),
            Granularity.PERSON: _("One time window per person: the portal must be up when several follow one another."),
            Granularity.NONE: _("No time windows: revocation depends on the portal being up."),
        }[capabilities.windows]
        if capabilities.holds_cards
        else _("Holds no cards: it only unlocks doors.")
    ]
    if capabilities.holds_cards and not capabilities.lists_cards:
        sentences.append(_("Can't list the cards it holds: a loss of its memory is not noticed."))
    elif not capabilities.holds_cards:
        sentences.append(
            _("Can list the doors it holds unlocked: what others switched is noticed.")
            if capabilities.lists_cards
            else _("Can't list the doors it holds unlocked.")
        )
    sentences.append(
        _("Unlocks a door for a moment.") if capabilities.pulse else _("Can't unlock a door for a moment.")
    )
    sentences.append(
        {
            Hold.WINDOWS: _("Holds doors unlocked during a booking by itself."),
            Hold.NOW: _("Holds doors unlocked: locking them again depends on the portal being up."),
            Hold.NO: _("Can't hold a door unlocked."),
        }[capabilities.hold]
    )
    sentences.append(
        _("Reports events at its doors.") if capabilities.events else _("Doesn't report events at its doors.")
    )
    if capabilities.resolution_seconds >= 60:
        sentences.append(
            _("Works in whole minutes: access begins and ends within its minute, never outside the booking's.")
        )
    if capabilities.naive_clock:
        sentences.append(_("Its clock has no time zone: the portal must be up when the clocks change."))
    return sentences


class ControllerForm(forms.ModelForm):
    """A controller and its driver's options, a field for each. The driver is chosen when the controller is added."""

    class Meta:
        model = Controller
        fields = ["site", "name", "driver", "enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._driver: type[Driver] | None = None
        if not self.instance.pk:
            return
        try:
            self._driver = driver_class(self.instance.driver)
        except BadOptions:
            return
        present = self.instance.all_options
        for name, info in form_fields(self._driver.Options).items():
            field = form_field(info, stored=name in present)
            if name in present and info.annotation is not SecretStr:
                field.initial = present[name]
            self.fields[_PREFIX + name] = field

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self._driver is None or self.errors:
            return cleaned
        options = self._options(cleaned)
        try:
            validated(self._driver.Options, options)
        except BadOptions as error:
            raise ValidationError(str(error)) from error
        fields = self._driver.Options.model_fields
        self.instance.set_options(options, secret=[name for name, info in fields.items() if _is_secret(info)])
        return cleaned

    def _options(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """The stored options, overridden by the form. A blank field means the default; a blank secret stays."""
        assert self._driver is not None
        options = dict(self.instance.all_options)
        for name, info in self._driver.Options.model_fields.items():
            value = cleaned.get(_PREFIX + name)
            if value not in (None, ""):
                # The form sends a choice among numbers as text.
                options[name] = next((v for v in get_args(info.annotation) if str(v) == value), value)
            elif not _is_secret(info):
                options.pop(name, None)
        return options


def _is_secret(info: FieldInfo) -> bool:
    return info.annotation is SecretStr


class DoorInline(LabelledInline):
    model = Door
    extra = 0


@admin.register(Controller)
class ControllerAdmin(admin.ModelAdmin):
    form = ControllerForm
    list_display = ["name", "site", "driver", "enabled"]
    list_filter = ["site", "driver", "enabled"]
    search_fields = ["name"]
    change_form_template = "admin/accessmap/controller/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Controller | None = None) -> list[Any]:
        if obj is None:
            return ["site", "name", "driver"]
        options = self._option_names(obj) if self.has_change_permission(request, obj) else []
        return ["site", "name", "driver", "enabled", *options, "can", "verified"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # The form itself adds the fields of the driver's options.
        if obj is not None:
            kwargs["fields"] = ["site", "name", "enabled"]
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Controller | None = None) -> list[str]:
        # Its cards are in the device that it names: another device is another controller.
        return ["driver", "can", "verified"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Controller | None) -> list[Any]:
        return [DoorInline] if obj else []

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "driver":
            return forms.ChoiceField(label=db_field.verbose_name, choices=[(n, n) for n in sorted(settings.DRIVERS)])
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def _option_names(self, controller: Controller) -> list[str]:
        try:
            return [_PREFIX + name for name in form_fields(driver_class(controller.driver).Options)]
        except BadOptions:
            return []

    @admin.display(description=gettext_lazy("what it can do"))
    def can(self, controller: Controller) -> str:
        try:
            driver = driver_for(controller, clock.now())
        except BadOptions as error:
            return str(error)
        driver.close()
        return " ".join(capabilities_in_words(driver.capabilities))

    @admin.display(description=gettext_lazy("tested against"))
    def verified(self, controller: Controller) -> str:
        try:
            return str(driver_class(controller.driver).verified)
        except BadOptions as error:
            return str(error)

    def save_model(self, request: HttpRequest, obj: Controller, form: Any, change: bool) -> None:
        if not change:
            obj.enabled = False  # until it has its options
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Controller, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, _("Now enter its options, test the connection, enable it and add its doors."))
        return HttpResponseRedirect(reverse("admin:accessmap_controller_change", args=[obj.pk]))
