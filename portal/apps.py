from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("Portal")

    def ready(self) -> None:
        # Tasks find their application once Django is up; what never sets Django up need not load Celery.
        from portal import celery, checks, roles  # noqa: F401
        from portal.core import problems

        problems.load()

        # Django sends no signal for an app without models; the last one with some is sent when every table is there.
        post_migrate.connect(roles.install, sender=apps.get_app_config("visitors"))
