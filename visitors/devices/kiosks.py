"""Kiosks: a reception's tablet or PC becomes a turnstile's scanner, by a code typed once."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest

from portal.audit.models import record
from portal.core import clock
from visitors.devices.authentication import NotADeviceError, WrongSourceError, turnstile_of
from visitors.models import KioskPairing, Turnstile, TurnstileKey
from visitors.verification.codes import digest

PAIRING_DIGITS = 8
PAIRING_FOR = timedelta(minutes=10)
# Wrong codes typed for a turnstile while one is waiting; then it is worth nothing. A stranger could try so many of a
# hundred million; with fewer, a handful of tries would keep a tablet from being paired.
WRONG_TRIES = 100


def new_pairing(turnstile: Turnstile, *, actor: str) -> str:
    """A code for one tablet, good for ten minutes. Earlier ones that nobody used are worth nothing any more."""
    code = "".join(secrets.choice("0123456789") for _ in range(PAIRING_DIGITS))
    with transaction.atomic():
        KioskPairing.objects.filter(turnstile=turnstile, used_at__isnull=True).delete()
        KioskPairing.objects.create(
            turnstile=turnstile, code_digest=_digest(turnstile, code), expires_at=clock.now() + PAIRING_FOR
        )
        record(actor=actor, action="kiosk.pairing", on=turnstile)
    return code


@transaction.atomic
def pair(turnstile: Turnstile, code: str) -> str | None:
    """The key for the tablet on which the right code was typed, else None. Each code is good for one."""
    now = clock.now()
    waiting = KioskPairing.objects.select_for_update().filter(
        turnstile=turnstile, used_at__isnull=True, expires_at__gt=now, failures__lt=WRONG_TRIES
    )
    pairing = waiting.first()
    if pairing is None:
        return None
    digits = "".join(character for character in code if character.isdigit())
    if not secrets.compare_digest(pairing.code_digest, _digest(turnstile, digits)):
        waiting.update(failures=F("failures") + 1)
        return None
    pairing.used_at = now
    pairing.save(update_fields=["used_at"])
    _key, secret = TurnstileKey.objects.create_key(name="kiosk", turnstile=turnstile, kiosk=True)
    record(actor=f"turnstile {turnstile.name}", action="kiosk.paired", on=turnstile)
    return secret


@transaction.atomic
def unpair(turnstile: Turnstile, *, actor: str) -> int:
    """End every tablet's pairing with a turnstile. How many there were."""
    count = TurnstileKey.objects.filter(turnstile=turnstile, kiosk=True, revoked=False).update(revoked=True)
    if count:
        record(actor=actor, action="kiosk.unpaired", on=turnstile, detail={"tablets": count})
    return count


def kiosk_of(request: HttpRequest, turnstile_id: int) -> Turnstile | None:
    """The turnstile, if this browser is paired as its kiosk."""
    try:
        turnstile = turnstile_of(request.COOKIES.get(cookie_name(turnstile_id), ""), request, kiosk=True)
    except (NotADeviceError, WrongSourceError):
        return None
    return turnstile if turnstile.pk == turnstile_id else None


def cookie_name(turnstile_id: int) -> str:
    return f"kiosk-{turnstile_id}"


def _digest(turnstile: Turnstile, code: str) -> str:
    return digest(f"pairing {turnstile.pk} {code}")
