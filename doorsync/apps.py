from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DoorSyncConfig(AppConfig):
    name = "doorsync"
    verbose_name = _("Door sync")

    def ready(self) -> None:
        from accessmap.services.cards import cards_deactivated
        from doorsync.controllers import lost_cards

        cards_deactivated.connect(lost_cards.remove_from_controllers)
        # A worker imports no URLs; the kinds of jobs are registered here.
        import_module("doorsync.pages.device_calls")
        import_module("doorsync.setup.jobs")
