"""Sites."""

from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models.changes import names_changes, tracked


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is no IANA time zone. An example is Asia/Hong_Kong."), params={"name": name})


@tracked()
class Site(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]
        triggers = names_changes(
            controller_id="controller.id",
            rows="changed JOIN accessmap_controller controller ON controller.site_id = changed.id",
        )

    def __str__(self) -> str:
        return self.name
