from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("Portal")

    def ready(self) -> None:
        from portal import roles

        # The last app to be migrated sends last; by then every table is there.
        post_migrate.connect(roles.install, sender=self)
