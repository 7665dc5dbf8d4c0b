"""The address that Offision calls."""

from django.urls import path

from doorsync.api.callback import CallbackView

urlpatterns = [path("callbacks/<str:secret>/", CallbackView.as_view(), name="callback")]
