"""Addresses that turnstiles ask."""

from django.urls import path

from visitors.views import VerifyView

urlpatterns = [path("verify", VerifyView.as_view(), name="verify")]
