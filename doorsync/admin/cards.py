"""Cards in the admin: search by number, reporting lost, which controllers still hold one, showing a whole number."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accessmap.admin.history import WithHistory
from accessmap.admin.masking import NumberHidden, may_have_numbers_shown
from accessmap.models import Card, CardStatus, masked
from accessmap.services import cards
from doorsync.controllers import lost_cards
from portal.core.admin.labels import LabelledFields


@admin.register(Card)
class CardAdmin(WithHistory, NumberHidden, LabelledFields, admin.ModelAdmin):
    list_display = ["masked_number", "cardholder", "status", "valid_from", "valid_until"]
    list_filter = ["status"]
    list_select_related = ["cardholder"]
    search_fields = ["=number", "cardholder__name", "cardholder__email"]
    search_help_text = gettext_lazy("A whole card number, or part of the holder's name or email.")
    show_full_result_count = False
    fields = ["masked_number", "cardholder", "status", "valid_from", "valid_until"]
    # Numbers and holders are edited on the page of the cardholder.
    readonly_fields = ["masked_number", "cardholder"]
    actions = ["report_lost"]
    change_form_template = "admin/accessmap/card/change_form.html"

    @admin.display(description=Card._meta.get_field("number").verbose_name)
    def masked_number(self, card: Card) -> str:
        return masked(card.number)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description=gettext_lazy("Report lost: they open nothing from now on"), permissions=["change"])
    def report_lost(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report_lost(request, list(queryset.values_list("pk", flat=True)))

    def _report_lost(self, request: HttpRequest, keys: list[int]) -> None:
        lost, controllers = lost_cards.report_lost(keys, actor=request.user.get_username())
        if not lost:
            self.message_user(request, _("Lost already: nothing was changed."), messages.WARNING)
            return
        reported = ngettext(
            "%(n)d card is reported lost.",
            "%(n)d cards are reported lost.",
            len(lost),
        ) % {"n": len(lost)}
        removal = (
            ngettext(
                "%(n)d controller was asked to take it out.",
                "%(n)d controllers were asked to take it out.",
                controllers,
            )
            % {"n": controllers}
            if controllers
            else _("No controller held it.")
        )
        self.message_user(request, f"{reported} {removal}", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: Card, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "status" in form.changed_data:
            cards.record_status_changes([obj], actor=request.user.get_username())

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/lost/", wrap(self.lost_view), name="accessmap_card_lost"),
            path("<int:pk>/number/", wrap(self.number_view), name="accessmap_card_number"),
            *super().get_urls(),
        ]

    def lost_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Which controllers hold a card; a POST reports it lost."""
        card = get_object_or_404(Card.objects.select_related("cardholder"), pk=pk)
        if not self.has_view_or_change_permission(request, card):
            raise PermissionDenied
        if request.method == "POST":
            if not self.has_change_permission(request, card):
                raise PermissionDenied
            self._report_lost(request, [pk])
            return HttpResponseRedirect(reverse("admin:accessmap_card_lost", args=[pk]))
        places = lost_cards.places_of(card)
        lost = card.status == CardStatus.LOST
        context = {
            **self.admin_site.each_context(request),
            "title": _("Card %(card)s of %(name)s") % {"card": card, "name": card.cardholder.name},
            "opts": self.opts,
            "card": card,
            "lost": lost,
            "places": places,
            "holding": sum(place.holds for place in places),
            "moving": lost and any(place.moving for place in places),
            "may_report": not lost and self.has_change_permission(request, card),
        }
        return TemplateResponse(request, "admin/accessmap/card/lost.html", context)

    def number_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show one whole number, once. The audit log records it."""
        if not may_have_numbers_shown(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        card = get_object_or_404(Card.objects.select_related("cardholder"), pk=pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Card %(card)s of %(name)s") % {"card": card, "name": card.cardholder.name},
            "opts": self.opts,
            "card": card,
            "number": cards.show_number(card, actor=request.user.get_username()),
        }
        return TemplateResponse(request, "admin/accessmap/card/number.html", context)
