"""Callbacks in. A callback is a hint: only the resource's id is read from it.

It is stored as it came and its resource enqueued, in one transaction, before it is answered.
"""

import hmac
import json
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction

from doorsync.bookings.problems import BAD_RESOURCE_ID, NO_RESOURCE, NOT_JSON
from doorsync.models import Callback, ResourceSync, SchedulerState, UnmappedResource
from doorsync.models.callbacks import TEST_CALL
from doorsync.work import queue
from portal.core import clock
from portal.core.problems import Problem
from portal.offision.default import contract_from_settings

MAX_RESOURCE_ID = 200


def secret_is_right(candidate: str) -> bool:
    """Whether this is a secret of the callURL. Every secret is compared, so that the time tells nothing."""
    given = candidate.encode()
    matches = [hmac.compare_digest(given, secret.encode()) for secret in settings.CALLBACK_SECRETS]
    return any(matches)


def signature_is_right(body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the call is signed as the contract says; True where the contract has no signature."""
    rule = contract_from_settings().callback.signature
    if rule is None:
        return True
    key = settings.CALLBACK_SIGNING_KEY.encode()
    return bool(key) and rule.verify(secret=key, body=body, value=headers.get(rule.header, ""))


@transaction.atomic
def receive(*, body: bytes, content_type: str, remote_address: str | None) -> None:
    """Store one callback and enqueue its resource, or request a full resync where the id is missing or unknown.

    A test call of setup is stored, and enqueues nothing.
    """
    now = clock.now()
    callback = Callback(body=body, content_type=content_type[:200], remote_address=remote_address, received_at=now)
    callback.named_resource, problem = _resource_id(body)
    sync = ResourceSync.objects.filter(resource__external_id=callback.named_resource).first() if not problem else None
    if content_type == TEST_CALL:
        callback.outcome = Callback.Outcome.TEST
    elif sync is not None:
        callback.outcome, callback.resource_id = Callback.Outcome.ENQUEUED, sync.resource_id
        callback.generation = queue.request(sync, now, cause="callback")
    else:
        callback.outcome = Callback.Outcome.UNREADABLE if problem else Callback.Outcome.UNKNOWN_RESOURCE
        callback.problems = [problem] if problem else []
        if not problem:
            UnmappedResource.objects.update_or_create(
                external_id=callback.named_resource, defaults={"last_seen_at": now}
            )
        # The scheduler limits how often full resyncs run.
        SchedulerState.objects.filter(pk=1, full_resync_requested_at__isnull=True).update(full_resync_requested_at=now)
    callback.save(force_insert=True)


def _resource_id(body: bytes) -> tuple[str, Problem | None]:
    """The resource's id in a callback's body, or "" and the problem."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        return "", NOT_JSON(error=type(error).__name__)
    resource_id = contract_from_settings().callback.resource_id(payload)
    if not resource_id:
        return "", NO_RESOURCE()
    if len(resource_id) > MAX_RESOURCE_ID or "\x00" in resource_id:
        return "", BAD_RESOURCE_ID()
    return resource_id, None
