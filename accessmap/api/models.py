"""API keys with their scopes and their use, and the responses that are stored to be replayed."""

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework_api_key.models import AbstractAPIKey, APIKeyManager

from portal.core import clock


class Scope(models.TextChoices):
    """What a key may do. Writing includes reading of the same; nothing includes whole card numbers."""

    READ_CARDHOLDERS = "read:cardholders", _("read cardholders")
    WRITE_CARDHOLDERS = "write:cardholders", _("add, change and delete cardholders")
    READ_CARDS = "read:cards", _("read cards, their numbers masked")
    READ_CARD_NUMBERS = "read:card_numbers", _("see card numbers whole")
    WRITE_CARDS = "write:cards", _("give, change and take away cards")
    READ_ACCESS_LEVELS = "read:access_levels", _("read access levels")
    WRITE_ACCESS_LEVELS = "write:access_levels", _("put cardholders into access levels and take them out")
    READ_RESOURCES = "read:resources", _("read resources")
    READ_DOORS = "read:doors", _("read doors")
    READ_PERMISSIONS = "read:permissions", _("read which card may pass which door, and whether its controller knows")


class ApiKeyManager(APIKeyManager):
    """The library puts the key's digest into its id, and so into URLs and the audit log; here the id is the prefix."""

    def assign_key(self, obj: AbstractAPIKey) -> str:
        secret: str = super().assign_key(obj)
        obj.id = obj.prefix
        return secret


class ApiKey(AbstractAPIKey):
    """The credentials of a program. Only a digest of the key is stored. Its scopes cannot be changed."""

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    scopes = ArrayField(models.CharField(max_length=30, choices=Scope), verbose_name=_("scopes"))

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created"]

    @property
    def actor(self) -> str:
        """Its name in the audit log, which no user can have."""
        return f"API key {self.name}"

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or scope.replace("read:", "write:") in self.scopes

    def expired(self, now: datetime) -> bool:
        return self.expiry_date is not None and self.expiry_date <= now


class ApiKeyUse(models.Model):
    """How many requests a key has made in the minute of its last request."""

    key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, primary_key=True, related_name="use")
    last_used_at = models.DateTimeField(_("last used"))
    minute = models.DateTimeField()
    requests = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.key}: {self.requests}"


class StoredResponse(models.Model):
    """The response to a request with an Idempotency-Key, stored for a day to be replayed."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "idempotency_key"], name="one_response_a_request")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"
