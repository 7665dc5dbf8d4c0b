"""Addresses of the portal."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import set_language
from django_prometheus.exports import ExportToDjangoView

from portal.health import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("language/", set_language, name="set_language"),
    path("api/offision/", include("doorsync.urls")),
    path("healthz", health, name="health"),
    path("metrics", ExportToDjangoView, name="metrics"),
]
