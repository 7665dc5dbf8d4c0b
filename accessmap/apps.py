from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessMapConfig(AppConfig):
    name = "accessmap"
    verbose_name = _("Access map")
