"""Cardholders with their cards and access levels."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accessmap.admin.history import WithHistory
from accessmap.admin.masking import keeps_cards
from accessmap.admin.sheets import WithSheets
from accessmap.models import Card, Cardholder, CardStatus, MapImport, Membership, masked
from accessmap.services import cards
from portal.core.admin.labels import LabelledInline


class CardInline(LabelledInline):
    model = Card
    extra = 0

    class Media:
        css = {"all": ["accessmap/pages.css"]}

    def get_fields(self, request: HttpRequest, obj: Cardholder | None = None) -> list[Any]:
        number = "number" if keeps_cards(request) else "masked_number"
        page = "lost_link" if keeps_cards(request) else "doors_link"
        return [number, page, "status", "valid_from", "valid_until"]

    def get_readonly_fields(self, request: HttpRequest, obj: Cardholder | None = None) -> list[str]:
        return ["masked_number", "lost_link", "doors_link"]

    @admin.display(description=Card._meta.get_field("number").verbose_name)
    def masked_number(self, card: Card) -> str:
        return masked(card.number)

    @admin.display(description=gettext_lazy("lost?"))
    def lost_link(self, card: Card) -> str:
        return self.doors_link(card) if card.status == CardStatus.LOST else _link(card, _("Report lost"))

    @admin.display(description=gettext_lazy("at the doors"))
    def doors_link(self, card: Card) -> str:
        return _link(card, _("At the doors"))


def _link(card: Card, words: str) -> str:
    if card.pk is None:
        return "–"
    page = reverse("admin:accessmap_card_lost", args=[card.pk])
    return format_html('<a href="{}">{}<span class="visually-hidden"> {}</span></a>', page, words, card)


class MembershipInline(LabelledInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["access_level"]


@admin.register(Cardholder)
class CardholderAdmin(WithHistory, WithSheets, admin.ModelAdmin):
    sheet = MapImport.Kind.PEOPLE
    list_display = ["name", "email", "card_list", "level_list"]
    list_filter = ["access_levels", "cards__status"]
    search_fields = ["name", "email", "=cards__number"]
    search_help_text = gettext_lazy("Part of a name or an email, or a whole card number.")
    show_full_result_count = False
    inlines = [CardInline, MembershipInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("cards", "access_levels")

    @admin.display(description=Card._meta.verbose_name_plural)
    def card_list(self, person: Cardholder) -> str:
        return (
            ", ".join(
                str(card) if card.status == CardStatus.ACTIVE else f"{card} ({card.get_status_display()})"
                for card in person.cards.all()
            )
            or "–"
        )

    @admin.display(description=Cardholder._meta.get_field("access_levels").verbose_name)
    def level_list(self, person: Cardholder) -> str:
        return ", ".join(level.name for level in person.access_levels.all()) or "–"

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is not Card:
            return
        changed = [card for card, fields in formset.changed_objects if "status" in fields]
        cards.record_status_changes(changed, actor=request.user.get_username())
