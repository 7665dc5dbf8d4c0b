"""Kiosks: a tablet or PC at reception becomes a scanner of a turnstile, by a code that is typed once."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest

from portal.audit.actor import acting_as
from portal.audit.models import record
from portal.core import clock
from visitors.devices.authentication import UnknownKeyError, WrongAddressError, turnstile_with_key
from visitors.models import KioskPairing, Turnstile, TurnstileKey
from visitors.verification.codes import digest

PAIRING_DIGITS = 8
PAIRING_FOR = timedelta(minutes=10)
# Wrong codes per turnstile and pairing; then the pairing is invalid. A stranger may try these of a hundred million; a
# smaller number would let a stranger keep a tablet from being paired.
WRONG_TRIES = 100


def new_pairing(turnstile: Turnstile, *, actor: str) -> str:
    """A code for one tablet, valid for ten minutes. Unused earlier codes of the turnstile become invalid."""
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
    """A new kiosk key, or None for a wrong code. Each code pairs one tablet."""
    now = clock.now()
    pairings = KioskPairing.objects.select_for_update().filter(
        turnstile=turnstile, used_at__isnull=True, expires_at__gt=now, failures__lt=WRONG_TRIES
    )
    pairing = pairings.first()
    if pairing is None:
        return None
    digits = "".join(character for character in code if character.isdigit())
    if not secrets.compare_digest(pairing.code_digest, _digest(turnstile, digits)):
        pairings.update(failures=F("failures") + 1)
        return None
    pairing.used_at = now
    pairing.save(update_fields=["used_at"])
    actor = f"turnstile {turnstile.name}"
    with acting_as(actor):
        _key, secret = TurnstileKey.objects.create_key(name="kiosk", turnstile=turnstile, kiosk=True)
    record(actor=actor, action="kiosk.paired", on=turnstile)
    return secret


@transaction.atomic
def unpair(turnstile: Turnstile, *, actor: str) -> int:
    """Revoke the key of every kiosk of a turnstile. Returns how many there were."""
    count = TurnstileKey.objects.filter(turnstile=turnstile, kiosk=True, revoked=False).update(revoked=True)
    if count:
        record(actor=actor, action="kiosk.unpaired", on=turnstile, detail={"tablets": count})
    return count


def kiosk_of(request: HttpRequest, turnstile_id: int) -> Turnstile | None:
    """The turnstile, if this browser is paired as its kiosk."""
    key = request.COOKIES.get(cookie_name(turnstile_id), "")
    try:
        turnstile = turnstile_with_key(key, address=request.META.get("REMOTE_ADDR", ""), kiosk=True)
    except (UnknownKeyError, WrongAddressError):
        return None
    return turnstile if turnstile.pk == turnstile_id else None


def cookie_name(turnstile_id: int) -> str:
    return f"kiosk-{turnstile_id}"


def _digest(turnstile: Turnstile, code: str) -> str:
    return digest(f"pairing {turnstile.pk} {code}")
