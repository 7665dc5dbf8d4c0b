from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DoorSyncConfig(AppConfig):
    name = "doorsync"
    verbose_name = _("Door sync")

    def ready(self) -> None:
        from accessmap.services.cards import cards_deactivated
        from doorsync.controllers import lost_cards

        cards_deactivated.connect(lost_cards.remove_from_controllers)
