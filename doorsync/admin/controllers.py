"""Controllers in the admin: a form with named fields for each driver's options, and a test of the connection."""

from typing import Any, Literal, get_args, get_origin

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from accessmap.models import Controller, Door
from doorsync.drivers import driver_class, driver_for
from doorsync.drivers.base import BadOptions, Capabilities, Driver, DriverError, Granularity, Hold, validated
from doorsync.drivers.options import form_fields
from portal.audit.models import record_alone
from portal.core import clock
from portal.core.admin.labels import LabelledInline

_PREFIX = "option_"


def form_field(info: FieldInfo, *, stored: bool) -> forms.Field:
    """The form's field for one of a driver's options. `stored`: a secret that is left blank stays as it is."""
    needed = info.is_required()
    common: dict[str, Any] = {"label": info.title, "help_text": info.description or "", "required": needed}
    if get_origin(info.annotation) is Literal:
        choices = [(str(value), str(value)) for value in get_args(info.annotation)]
        return forms.ChoiceField(**common, choices=choices, initial=str(info.default))
    if info.annotation is bool:
        return forms.BooleanField(**{**common, "required": False}, initial=bool(info.default))
    if info.annotation is SecretStr:
        if stored:
            common["help_text"] = _("Stored, and not shown. Leave blank to keep it.") + f" {common['help_text']}"
        widget = forms.PasswordInput(attrs={"autocomplete": "off"})
        return forms.CharField(**{**common, "required": needed and not stored}, widget=widget)
    initial = None if needed else info.default
    if info.annotation is int:
        return forms.IntegerField(**common, initial=initial)
    if info.annotation is float:
        return forms.FloatField(**common, initial=initial)
    return forms.CharField(**common, initial=initial)


def capabilities_in_words(found: Capabilities) -> list[str]:
    """What a controller can and can't do, for staff."""
    said = [
        {
            Granularity.CARD_AND_DOOR: _("Time windows for each card and door: access ends by itself."),
            Granularity.CARD: _("One time window a card: the portal must be up when several follow one another."),
            Granularity.PERSON: _("One time window a person: the portal must be up when several follow one another."),
            Granularity.NONE: _("No time windows: revocation depends on the portal being up."),
        }[found.windows]
        if found.holds_cards
        else _("Holds no cards: it only unlocks doors.")
    ]
    if found.holds_cards and not found.lists_cards:
        said.append(_("Can't be asked what it holds: lost memory is not noticed."))
    elif not found.holds_cards:
        said.append(
            _("Can be asked which doors it holds unlocked: what others switched is noticed.")
            if found.lists_cards
            else _("Can't be asked which doors it holds unlocked.")
        )
    said.append(_("Unlocks a door for a moment.") if found.pulse else _("Can't unlock a door for a moment."))
    said.append(
        {
            Hold.WINDOWS: _("Holds doors unlocked for the time of a booking by itself."),
            Hold.NOW: _("Holds doors unlocked: locking them again depends on the portal being up."),
            Hold.NO: _("Can't hold a door unlocked."),
        }[found.hold]
    )
    said.append(_("Tells what happens at its doors.") if found.events else _("Doesn't tell what happens at its doors."))
    if found.resolution_seconds >= 60:
        said.append(
            _("Counts in whole minutes: access begins and ends within its minute, never outside the booking's.")
        )
    if found.naive_clock:
        said.append(_("Its clock knows no time zone: the portal must be up when the clocks change."))
    return said


class ControllerForm(forms.ModelForm):
    """A controller with its driver's options, each by its name. The driver is chosen when the controller is made."""

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
        """What was there, with what the form says in its place; what is left blank has its default."""
        assert self._driver is not None
        options = dict(self.instance.all_options)
        for name, info in self._driver.Options.model_fields.items():
            value = cleaned.get(_PREFIX + name)
            if value not in (None, ""):
                # A choice among numbers comes as text.
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
        # The options' fields are the form's own, made for this controller's driver.
        if obj is not None:
            kwargs["fields"] = ["site", "name", "enabled"]
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Controller | None = None) -> list[str]:
        # Its entries stay in the box that it names: another box is another controller.
        return ["driver", "can", "verified"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Controller | None) -> list[Any]:
        return [DoorInline] if obj else []

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "driver":
            from django.conf import settings

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
            obj.enabled = False  # until its options are there
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Controller, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, _("Now say where it is, test the connection, enable it and add its doors."))
        return HttpResponseRedirect(reverse("admin:accessmap_controller_change", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        test = path(
            "<int:pk>/test/", self.admin_site.admin_view(self.test_connection), name="accessmap_controller_test"
        )
        return [test, *super().get_urls()]

    def test_connection(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask the controller who it is, by its stored options, and say what was found."""
        controller = get_object_or_404(Controller, pk=pk)
        if request.method != "POST" or not self.has_change_permission(request, controller):
            raise PermissionDenied
        try:
            found = tested(controller)
        except DriverError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, found, messages.SUCCESS)
        record_alone(actor=request.user.get_username(), action="controller.test", on=controller)
        return HttpResponseRedirect(reverse("admin:accessmap_controller_change", args=[pk]))


def tested(controller: Controller) -> str:
    """What a controller says of itself, in a sentence. Raises DriverError."""
    driver = driver_for(controller, clock.now())
    try:
        info = driver.info()
        able = driver.capabilities
        cards = len(driver.read().cards) if able.holds_cards and able.lists_cards else None
    finally:
        driver.close()
    said = [_("It answers: %(model)s") % {"model": info.model}]
    if info.firmware:
        said.append(_("firmware %(firmware)s") % {"firmware": info.firmware})
    if info.serial:
        said.append(_("serial number %(serial)s") % {"serial": info.serial})
    if info.time is not None:
        said.append(_("clock %(seconds)+.0f s off") % {"seconds": (info.time - clock.now()).total_seconds()})
    if cards is not None:
        said.append(ngettext("%(n)d card in it", "%(n)d cards in it", cards) % {"n": cards})
    if info.capacity is not None:
        said.append(_("room for %(n)d") % {"n": info.capacity})
    said += map(str, info.notes)
    return ", ".join(said).rstrip(".") + "."
