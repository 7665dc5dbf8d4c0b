"""Addresses of one kiosk, all below /kiosk/<turnstile>/, the path of its cookie."""

from django.urls import path

from visitors.pages import views

urlpatterns = [
    path("", views.kiosk, name="kiosk"),
    path("pair", views.pair, name="kiosk-pair"),
    path("scan", views.scan, name="kiosk-scan"),
    path("alive", views.alive, name="kiosk-alive"),
]
