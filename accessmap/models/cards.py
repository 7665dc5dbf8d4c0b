"""Cards."""

from datetime import datetime

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models.cardholders import Cardholder
from accessmap.models.changes import names_changes, tracked


class CardStatus(models.TextChoices):
    ACTIVE = "active", _("active")
    LOST = "lost", _("lost")
    RETURNED = "returned", _("returned")


@tracked()
class Card(models.Model):
    cardholder = models.ForeignKey(
        Cardholder, on_delete=models.CASCADE, related_name="cards", verbose_name=_("cardholder")
    )
    number = models.CharField(
        _("number"),
        max_length=200,
        unique=True,
        validators=[RegexValidator(r"^[0-9A-Za-z-]+\Z", _("Digits, letters and hyphens only."))],
        help_text=_("As the readers report it."),
    )
    status = models.CharField(_("status"), max_length=10, choices=CardStatus, default=CardStatus.ACTIVE)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(
        _("valid until"), null=True, blank=True, help_text=_("The first moment at which it no longer opens.")
    )

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True)
                | models.Q(valid_until__isnull=True)
                | models.Q(valid_from__lt=models.F("valid_until")),
                name="card_validity_in_order",
                violation_error_message=_("The card's validity ends before it begins."),
            ),
            models.CheckConstraint(condition=~models.Q(number=""), name="card_has_a_number"),
        ]
        triggers = names_changes(cardholder_id="changed.cardholder_id", card_number="changed.number")
        permissions = [("view_card_number", _("Can show a card's whole number, which the audit log notes"))]

    def __str__(self) -> str:
        return masked(self.number)

    @classmethod
    def usable(cls, now: datetime) -> models.QuerySet["Card"]:
        """Active cards whose validity has not ended at `now` (aware)."""
        return cls.objects.filter(
            models.Q(valid_until__isnull=True) | models.Q(valid_until__gt=now), status=CardStatus.ACTIVE
        )


def masked(number: str) -> str:
    """A card number as most pages show it: its last four characters."""
    return "••••" + number[-4:] if len(number) > 4 else "••••"
