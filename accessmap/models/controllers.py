"""Controllers and their doors."""

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedJSONField

from accessmap.models.changes import names_changes, tracked
from accessmap.models.sites import Site


@tracked(exclude=["options", "secrets"])
class Controller(models.Model):
    """The device that decides at doors."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="controllers", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=200, unique=True)
    driver = models.CharField(_("driver"), max_length=50, help_text=_("The family of controllers that it belongs to."))
    options = models.JSONField(
        _("options"),
        default=dict,
        blank=True,
        help_text=_("What its driver needs to know, such as its address."),
    )
    # Those options that are secret: text by name, each value encrypted.
    secrets = EncryptedJSONField(null=True, default=dict, editable=False)
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("The portal does not contact a disabled controller: it stays as it is.")
    )

    class Meta:
        verbose_name = _("controller")
        verbose_name_plural = _("controllers")
        ordering = ["name"]
        triggers = names_changes(controller_id="changed.id")

    def __str__(self) -> str:
        return self.name

    @property
    def all_options(self) -> dict[str, Any]:
        """The options with the secret ones among them."""
        return {**self.options, **(self.secrets or {})}

    def set_options(self, options: Mapping[str, Any], *, secret: Collection[str] = ()) -> None:
        """Replace the options. Those named in `secret` are stored encrypted."""
        self.options = {name: value for name, value in options.items() if name not in secret}
        self.secrets = {name: options[name] for name in secret if name in options}

    def clean(self) -> None:
        if self.driver not in settings.DRIVERS:
            raise ValidationError(
                {
                    "driver": _("There is no driver %(driver)s. There are: %(known)s.")
                    % {"driver": self.driver, "known": ", ".join(sorted(settings.DRIVERS))}
                }
            )
        if not isinstance(self.options, dict):
            raise ValidationError({"options": _('Options are named values, such as {"url": "http://..."}.')})


@tracked()
class Door(models.Model):
    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="doors", verbose_name=_("controller")
    )
    number = models.PositiveSmallIntegerField(
        _("number"), validators=[MinValueValidator(1)], help_text=_("Its number at the controller.")
    )
    name = models.CharField(_("name"), max_length=200)
    floor = models.CharField(
        _("floor"), max_length=50, blank=True, help_text=_("Such as 12/F; the door board can be filtered by it.")
    )

    class Meta:
        verbose_name = _("door")
        verbose_name_plural = _("doors")
        permissions = [("unlock_door", _("Can unlock a door for a moment"))]
        ordering = ["controller__name", "number"]
        constraints = [
            models.UniqueConstraint(fields=["controller", "number"], name="one_door_a_number"),
            models.UniqueConstraint(fields=["controller", "name"], name="one_door_a_name"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="door_numbers_from_one"),
        ]
        triggers = names_changes(controller_id="changed.controller_id")

    def __str__(self) -> str:
        return self.name
