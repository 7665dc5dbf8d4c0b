"""Addresses that Offision calls."""

from django.urls import path

from doorsync.pages.callback import callback

urlpatterns = [path("callbacks/<str:secret>/", callback, name="callback")]
