"""Which turnstile is asking? By its key, in a header or, for devices that can set none, in a secret path."""

from ipaddress import ip_address, ip_network
from typing import cast

from django.http import HttpRequest

from visitors.models import Turnstile, TurnstileKey


class NotADeviceError(Exception):
    """No key of a turnstile was shown."""


class WrongSourceError(Exception):
    """The key is a turnstile's, and comes from an address that is not among that turnstile's."""


def turnstile_of(key: str, request: HttpRequest) -> Turnstile:
    """The turnstile whose key this is. Raises NotADeviceError and WrongSourceError."""
    try:
        found = TurnstileKey.objects.get_from_key(key)
    except TurnstileKey.DoesNotExist:
        raise NotADeviceError from None
    if found.has_expired:
        raise NotADeviceError
    turnstile = cast("TurnstileKey", found).turnstile
    if turnstile.sources and not _is_among(request.META.get("REMOTE_ADDR", ""), turnstile.sources):
        raise WrongSourceError
    return turnstile


def _is_among(address: str, networks: list[str]) -> bool:
    try:
        asking = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(asking, "ipv4_mapped", None)
    return any((mapped or asking) in ip_network(network) for network in networks)
