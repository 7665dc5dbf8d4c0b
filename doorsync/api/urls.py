"""Addresses of door sync's part of /api/v1/."""

from django.urls import path

from doorsync.api.views import PermissionsView

urlpatterns = [path("permissions", PermissionsView.as_view(), name="api-permissions")]
