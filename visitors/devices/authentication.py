"""Which turnstile is asking? By its key, in a header or, for devices that can set none, in a secret path."""

from datetime import datetime
from ipaddress import ip_address, ip_network

from django.db import connection
from django.http import HttpRequest

from portal.core import clock
from visitors.models import Turnstile, TurnstileKey


class NotADeviceError(Exception):
    """No key of a turnstile was shown."""


class WrongSourceError(Exception):
    """The key is a turnstile's, and comes from an address that is not among that turnstile's."""


# Every scan asks this first. It costs a fifth of what the ORM needs to build a turnstile anew each time: that is done
# only when the turnstile's row, or its site's, is another than last time (where and since when it stands, ctid and
# xmin, tell). A key that is revoked, or a policy that is changed, counts at once.
_KEY = """
    SELECT key.hashed_key, key.revoked, key.expiry_date, gate.id,
           key.kiosk, concat(gate.ctid, gate.xmin, site.ctid, site.xmin)
    FROM visitors_turnstilekey AS key
    JOIN visitors_turnstile AS gate ON gate.id = key.turnstile_id
    JOIN accessmap_site AS site ON site.id = gate.site_id
    WHERE key.prefix = %s
"""
_known: dict[int, tuple[str, Turnstile]] = {}


def turnstile_of(key: str, request: HttpRequest, *, kiosk: bool = False) -> Turnstile:
    """The turnstile whose key this is: a device's, or its kiosk's. Raises NotADeviceError and WrongSourceError."""
    with connection.cursor() as cursor:
        cursor.execute(_KEY, [key.partition(".")[0].replace("\x00", "")])
        found = cursor.fetchone()
    if found is None:
        raise NotADeviceError
    hashed: str
    revoked: bool
    expires: datetime | None
    hashed, revoked, expires, turnstile_id, of_kiosk, version = found
    if not TurnstileKey.objects.key_generator.verify(key, hashed) or revoked or (expires and expires < clock.now()):
        raise NotADeviceError
    if of_kiosk is not kiosk:
        raise NotADeviceError  # a tablet's key is of use at its own pages only
    turnstile = _turnstile(turnstile_id, version)
    if turnstile.sources and not _is_among(request.META.get("REMOTE_ADDR", ""), turnstile.sources):
        raise WrongSourceError
    return turnstile


def _turnstile(turnstile_id: int, version: str) -> Turnstile:
    known = _known.get(turnstile_id)
    if known is None or known[0] != version:
        known = (version, Turnstile.objects.select_related("site").get(pk=turnstile_id))
        _known[turnstile_id] = known
    return known[1]


def _is_among(address: str, networks: list[str]) -> bool:
    try:
        asking = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(asking, "ipv4_mapped", None)
    return any((mapped or asking) in ip_network(network) for network in networks)
