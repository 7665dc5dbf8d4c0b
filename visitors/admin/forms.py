"""The forms of turnstiles."""

# Django's admin classes take no type arguments at run time.
# mypy: allow-any-generics

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from visitors.models import STATUS_CHOICES, Template, Turnstile, validate_network


def _checkboxes(field: str, choices: Any) -> forms.MultipleChoiceField:
    model_field: Any = Turnstile._meta.get_field(field)
    return forms.MultipleChoiceField(
        choices=choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=capfirst(model_field.verbose_name),
        initial=model_field.get_default(),
    )


def _literal(field: str) -> forms.CharField:
    model_field: Any = Template._meta.get_field(field)
    return forms.CharField(
        label=capfirst(model_field.verbose_name),
        max_length=model_field.max_length,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class TurnstileForm(forms.ModelForm):
    statuses_in = _checkboxes("statuses_in", STATUS_CHOICES)
    statuses_out = _checkboxes("statuses_out", STATUS_CHOICES)
    shows = _checkboxes("shows", Turnstile.Shows.choices)

    class Meta:
        model = Turnstile
        exclude: list[str] = []

    def clean_sources(self) -> list[str]:
        sources: list[str] = self.cleaned_data["sources"]
        for source in sources:
            validate_network(source)
        return sources

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for direction in ("in", "out"):
            used = cleaned.get("direction") in (direction, "both")
            if cleaned.get("enabled") and used and not cleaned.get(f"statuses_{direction}"):
                self.add_error(f"statuses_{direction}", _("Choose at least one: without, nobody could pass this way."))
        if cleaned.get("opens") == Turnstile.Opens.DOOR and not cleaned.get("door"):
            self.add_error("door", _("Choose the door that the portal is to unlock."))
        return cleaned


class TemplateForm(forms.ModelForm):
    """The answers are stored unchanged: some devices need the line end at the end."""

    allow_body = _literal("allow_body")
    deny_body = _literal("deny_body")

    class Meta:
        model = Template
        exclude: list[str] = []
