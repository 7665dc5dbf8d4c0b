"""The admin site, with the portal's name on it."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class PortalAdminSite(AdminSite):
    site_header = _("Offision Access Portal")
    site_title = _("Offision Access Portal")
    index_title = _("Doors and bookings")


class PortalAdminConfig(AdminConfig):
    default_site = "portal.core.admin.site.PortalAdminSite"
