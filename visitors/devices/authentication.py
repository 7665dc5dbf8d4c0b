"""Authentication of turnstiles: by a key, in a header or, for devices that can send no header, in the path."""

from datetime import datetime
from ipaddress import ip_address, ip_network

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework_api_key.permissions import KeyParser

from portal.core import clock
from visitors.models import Turnstile, TurnstileKey


class UnknownKeyError(AuthenticationFailed):
    default_detail = "No turnstile has this key."


class WrongAddressError(PermissionDenied):
    default_detail = "This turnstile may not ask from this address."


class TurnstileKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key KEY`, or the key as `secret` in the path. The turnstile becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Turnstile]:
        key = request.parser_context["kwargs"].get("secret") or KeyParser().get(request) or ""
        return AnonymousUser(), turnstile_with_key(key, address=request.META.get("REMOTE_ADDR", ""))

    def authenticate_header(self, request: Request) -> str:
        return KeyParser.keyword


# Every scan begins with this query. It costs a fifth of an ORM query for a turnstile, which is made only when the row
# of the turnstile or its site is a new version (ctid and xmin tell). A revoked key or a changed policy counts at once.
_KEY = """
    SELECT key.hashed_key, key.revoked, key.expiry_date, turnstile.id,
           key.kiosk, concat(turnstile.ctid, turnstile.xmin, site.ctid, site.xmin)
    FROM visitors_turnstilekey AS key
    JOIN visitors_turnstile AS turnstile ON turnstile.id = key.turnstile_id
    JOIN accessmap_site AS site ON site.id = turnstile.site_id
    WHERE key.prefix = %s
"""
_cache: dict[int, tuple[str, Turnstile]] = {}


def turnstile_with_key(key: str, *, address: str, kiosk: bool = False) -> Turnstile:
    """The turnstile that has this key: a key of a device, or of a kiosk. `address`: where the request comes from.

    Raises UnknownKeyError and WrongAddressError.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KEY, [key.partition(".")[0].replace("\x00", "")])
        row = cursor.fetchone()
    if row is None:
        raise UnknownKeyError
    hashed: str
    revoked: bool
    expires: datetime | None
    hashed, revoked, expires, turnstile_id, is_kiosk, version = row
    if not TurnstileKey.objects.key_generator.verify(key, hashed) or revoked or (expires and expires < clock.now()):
        raise UnknownKeyError
    if is_kiosk is not kiosk:
        raise UnknownKeyError  # a kiosk's key is valid on the kiosk's pages only
    turnstile = _turnstile(turnstile_id, version)
    if turnstile.sources and not _is_in(turnstile.sources, address):
        raise WrongAddressError
    return turnstile


def _turnstile(turnstile_id: int, version: str) -> Turnstile:
    cached = _cache.get(turnstile_id)
    if cached is None or cached[0] != version:
        cached = (version, Turnstile.objects.select_related("site").get(pk=turnstile_id))
        _cache[turnstile_id] = cached
    return cached[1]


def _is_in(networks: list[str], text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ip_network(network) for network in networks)
