"""Addresses for turnstiles."""

from django.urls import path

from visitors.api.views import DeviceView, OfflineView, PassageView, VerifyView

device = DeviceView.as_view()

urlpatterns = [
    path("verify", VerifyView.as_view(), name="verify"),
    path("passages", PassageView.as_view(), name="passages"),
    path("verifications/offline", OfflineView.as_view(), name="offline"),
    path("devices/<str:secret>/", device, name="device"),
    path("devices/<str:secret>", device),  # few devices follow a redirect
    path("devices/<str:secret>/<path:path>", device, name="device"),
]
