"""The admin of the app."""

from django.contrib import admin
from rest_framework_api_key.models import APIKey

from visitors.admin import log, turnstiles

__all__ = ["log", "turnstiles"]

# The library's own keys authenticate nobody here.
admin.site.unregister(APIKey)
