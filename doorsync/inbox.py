"""Callbacks in. A callback is a hint: what it claims is never believed, it only says where to look.

It is stored as it came and its resource marked as asked for again, in one transaction, before it is answered.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accessmap.models import Resource
from doorsync import tasks
from doorsync.models import Callback, PassState, ResourceSync, UnmappedResource
from portal import clock
from portal.offision.configured import contract_from_settings

MAX_NAME = 200


def secret_is_right(candidate: str) -> bool:
    """Whether the secret in the callURL is one of ours; takes as long for a near miss as for a wide one."""
    given = candidate.encode()
    # Every secret is compared, so that the time does not tell which one came close.
    matches = [hmac.compare_digest(given, secret.encode()) for secret in settings.CALLBACK_SECRETS]
    return any(matches)


def signature_is_right(body: bytes, headers: Any) -> bool:
    """Whether the call is signed as the contract says; True where the contract knows no signature."""
    rule = contract_from_settings().callback.signature
    if rule is None:
        return True
    digest = hmac.new(settings.CALLBACK_SIGNING_KEY.encode(), body, hashlib.sha256).digest()
    text = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    return bool(settings.CALLBACK_SIGNING_KEY) and hmac.compare_digest(
        headers.get(rule.header, "").encode(), (rule.prefix + text).encode()
    )


def receive(*, body: bytes, content_type: str, remote_address: str | None) -> Callback:
    """Store one callback and ask for what it points at. What it says of bookings is not looked at."""
    named, note = _read(body)
    callback = Callback(
        body=body,
        content_type=content_type[:200],
        remote_address=remote_address,
        named_resource=named,
        note=note,
    )
    resource = (
        Resource.objects.filter(external_id=named).select_related("sync").only("id", "sync").first() if named else None
    )
    if resource is None:
        return _ask_for_everything(callback)
    callback.outcome = Callback.Outcome.ASKED
    callback.resource_id = resource.pk
    return _ask_for(callback, resource)


def _ask_for(callback: Callback, resource: Resource) -> Callback:
    now = clock.now()
    try:
        sync = resource.sync
    except ResourceSync.DoesNotExist:
        sync, _created = ResourceSync.objects.get_or_create(resource=resource)
    claimed = sync.claimed_until is not None and sync.claimed_until > now
    if sync.requested > sync.done and not claimed:
        # Somebody has asked already and no fetch has begun: the one that comes will be later than this call.
        callback.generation = sync.requested
        callback.save(force_insert=True)
        return callback
    callback.generation = sync.requested + 1
    ring = not claimed and (sync.not_before is None or sync.not_before <= now)
    with transaction.atomic():
        callback.save(force_insert=True)
        ResourceSync.objects.filter(pk=sync.pk).update(
            requested=F("requested") + 1, cause="callback", woken_at=now if ring else F("woken_at")
        )
    if ring:
        tasks.refresh_resource.delay_on_commit(resource.pk)
    return callback


def _ask_for_everything(callback: Callback) -> Callback:
    """Nobody can tell where to look: look everywhere, though not more often than full passes may run."""
    with transaction.atomic():
        if callback.named_resource:
            callback.outcome = Callback.Outcome.UNKNOWN_RESOURCE
            UnmappedResource.objects.update_or_create(
                external_id=callback.named_resource, defaults={"last_seen_at": clock.now()}
            )
        else:
            callback.outcome = Callback.Outcome.UNREADABLE
        callback.save(force_insert=True)
        PassState.objects.filter(pk=1, full_pass_wanted_at__isnull=True).update(full_pass_wanted_at=clock.now())
    return callback


def _read(body: bytes) -> tuple[str, str]:
    """The id of the resource that a callback names, or "" and the reason why there is none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        return "", _("The body is no JSON (%(why)s).") % {"why": type(error).__name__}
    named = contract_from_settings().callback.resource_id(payload)
    if not named:
        return "", _("The body names no resource where the contract expects one.")
    if len(named) > MAX_NAME or "\x00" in named:
        return "", _("The body names a resource by something that can be no id.")
    return named, ""
