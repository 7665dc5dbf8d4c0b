from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DoorSyncConfig(AppConfig):
    name = "doorsync"
    verbose_name = _("Door sync")
