"""Callbacks in. A callback is a hint: what it claims is never believed, it only says where to look.

It is stored as it came and its resource marked as asked for again, in one transaction, before it is answered.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from doorsync import tasks
from doorsync.models import TEST_CALL, Callback, SchedulerState, UnmappedResource
from doorsync.work import queue
from portal.core import clock
from portal.offision.default import contract_from_settings

MAX_NAME = 200


def secret_is_right(candidate: str) -> bool:
    """Whether the secret in the callURL is one of ours; takes as long for a near miss as for a wide one."""
    given = candidate.encode()
    # Every secret is compared, so that the time does not tell which one came close.
    matches = [hmac.compare_digest(given, secret.encode()) for secret in settings.CALLBACK_SECRETS]
    return any(matches)


def signature_is_right(body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the call is signed as the contract says; True where the contract knows no signature."""
    rule = contract_from_settings().callback.signature
    if rule is None:
        return True
    key = settings.CALLBACK_SIGNING_KEY.encode()
    return bool(key) and rule.verify(secret=key, body=body, value=headers.get(rule.header, ""))


# One statement, so one trip to the database and one commit stand between a call and its 202: where the resource has
# been asked for already and that fetch has not begun, it will be later than this call, and nothing more is asked.
# Nobody is rung for while a worker is at it or a pause is kept; the tick does that afterwards.
_STORE_AND_ASK = """
    WITH room AS (
        SELECT sync.id AS sync_id, sync.resource_id, sync.generation,
               sync.leased_until IS NOT NULL AND sync.leased_until > %(now)s AS at_work,
               sync.next_attempt_at IS NULL OR sync.next_attempt_at <= %(now)s AS rested,
               sync.generation > CASE WHEN sync.lease_token IS NOT NULL
                   THEN sync.leased_generation ELSE sync.observed_generation END AS asked_for
        FROM accessmap_resource AS resource JOIN doorsync_resourcesync AS sync ON sync.resource_id = resource.id
        WHERE resource.external_id = %(named)s
    ), asked AS (
        UPDATE doorsync_resourcesync AS sync
        SET generation = sync.generation + 1, cause = 'callback',
            enqueued_at = CASE WHEN room.rested AND NOT room.at_work THEN %(now)s ELSE sync.enqueued_at END
        FROM room WHERE sync.id = room.sync_id AND NOT room.asked_for
        RETURNING room.rested AND NOT room.at_work AS ring
    )
    INSERT INTO doorsync_callback
        (received_at, remote_address, content_type, body, outcome, note, named_resource, resource_id, generation)
    SELECT %(now)s, %(remote_address)s, %(content_type)s, %(body)s, 'asked', '', %(named)s, room.resource_id,
           room.generation + CASE WHEN asked.ring IS NULL THEN 0 ELSE 1 END
    FROM room LEFT JOIN asked ON true
    RETURNING resource_id, (SELECT ring FROM asked)
"""


def receive(*, body: bytes, content_type: str, remote_address: str | None) -> None:
    """Store one callback and ask for what it points at. What it says of bookings is not looked at."""
    named, note = _read(body)
    content_type = content_type[:200]
    if named:
        with connection.cursor() as cursor:
            values: dict[str, Any] = {
                "now": clock.now(),
                "named": named,
                "body": body,
                "content_type": content_type,
                "remote_address": remote_address,
            }
            cursor.execute(_STORE_AND_ASK, values)
            stored = cursor.fetchone()
        if stored is not None:
            resource_id, ring = stored
            if ring:
                queue.enqueue(tasks.fetch_bookings, resource_id)
            return
    _ask_for_everything(
        Callback(body=body, content_type=content_type, remote_address=remote_address, named_resource=named, note=note)
    )


def _ask_for_everything(callback: Callback) -> None:
    """Nobody can tell where to look: look everywhere, though not more often than full passes may run."""
    with transaction.atomic():
        if callback.named_resource:
            callback.outcome = Callback.Outcome.UNKNOWN_RESOURCE
            UnmappedResource.objects.update_or_create(
                external_id=callback.named_resource, defaults={"last_seen_at": clock.now()}
            )
        else:
            is_test = callback.content_type == TEST_CALL
            callback.outcome = Callback.Outcome.TEST if is_test else Callback.Outcome.UNREADABLE
        callback.save(force_insert=True)
        if callback.outcome == Callback.Outcome.TEST:
            return
        SchedulerState.objects.filter(pk=1, full_resync_wanted_at__isnull=True).update(
            full_resync_wanted_at=clock.now()
        )


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
