"""Addresses of the portal."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from django.views.i18n import set_language
from health_check.views import HealthCheckView

from portal.core.api.errors import nothing_here
from portal.core.metrics import metrics
from visitors.pages.views import inside_somewhere, who_is_inside

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/inside/", inside_somewhere, name="inside-somewhere"),
    path("admin/inside/<int:site_id>/", who_is_inside, name="inside"),
    path("admin/", include("doorsync.pages.urls")),
    path("admin/", admin.site.urls),
    path("setup/", include("doorsync.setup.urls")),
    path("kiosk/<int:turnstile_id>/", include("visitors.pages.kiosk_urls")),
    path("language/", set_language, name="set_language"),
    path("api/v1/", include("accessmap.api.urls")),
    path("api/v1/", include("doorsync.api.urls")),
    re_path("^api/v1/", nothing_here),
    path("api/visitors/", include("visitors.api.urls")),
    path("api/offision/", include("doorsync.api.callback_urls")),
    path(
        "healthz",
        HealthCheckView.as_view(checks=["health_check.checks.Database", "doorsync.status.health.Worker"]),
        name="health",
    ),
    path("metrics", metrics, name="metrics"),
]
