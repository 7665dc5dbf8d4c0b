"""Addresses of one kiosk, all below /kiosk/<turnstile>/: its cookie goes nowhere else."""

from django.urls import path

from visitors import pages

urlpatterns = [
    path("", pages.kiosk, name="kiosk"),
    path("pair", pages.pair, name="kiosk-pair"),
    path("scan", pages.scan, name="kiosk-scan"),
    path("alive", pages.alive, name="kiosk-alive"),
]
