"""Cardholders and the access levels that they belong to."""

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accessmap.models.changes import names_changes, tracked


def normal_email(email: str) -> str:
    """An email as it is compared: in lower case, without surrounding space."""
    return email.strip().lower()


@tracked()
class AccessLevel(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)

    class Meta:
        verbose_name = _("access level")
        verbose_name_plural = _("access levels")
        ordering = ["name"]
        triggers = names_changes(level_id="changed.id")

    def __str__(self) -> str:
        return self.name


@tracked()
class Cardholder(models.Model):
    email = models.EmailField(
        _("email"),
        max_length=320,
        blank=True,
        help_text=_("As in Offision; case does not matter. Bookings find nobody without an email."),
    )
    name = models.CharField(_("name"), max_length=200)
    access_levels = models.ManyToManyField(
        AccessLevel,
        through="Membership",
        related_name="cardholders",
        verbose_name=_("access levels"),
        blank=True,
    )

    class Meta:
        verbose_name = _("cardholder")
        verbose_name_plural = _("cardholders")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="one_cardholder_an_email",
                violation_error_message=_("There is a cardholder with this email already."),
            )
        ]
        triggers = names_changes(cardholder_id="changed.id", email="changed.email")

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name

    def clean(self) -> None:
        self.email = self.email.strip()


@tracked()
class Membership(models.Model):
    """A cardholder belongs to an access level."""

    cardholder = models.ForeignKey(Cardholder, on_delete=models.CASCADE)
    access_level = models.ForeignKey(AccessLevel, on_delete=models.CASCADE, verbose_name=_("access level"))

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["cardholder", "access_level"], name="one_membership_a_level")]
        triggers = names_changes(level_id="changed.access_level_id")

    def __str__(self) -> str:
        return f"{self.cardholder}: {self.access_level}"
