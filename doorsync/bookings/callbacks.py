"""Callbacks in. A callback is a hint: only the resource's id is read from it.

It is stored as it came and its resource enqueued, in one transaction, before it is answered. Where an earlier request
for the resource still waits, storing it is enough.
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


def receive(*, body: bytes, content_type: str, remote_address: str | None) -> None:
    """Store one callback and enqueue its resource, or request a full resync where the id is missing or unknown.

    A test call of setup is stored, and enqueues nothing.
    """
    now = clock.now()
    named, problem = _resource_id(body)
    callback = Callback(
        received_at=now,
        body=body,
        content_type=content_type[:200],
        remote_address=remote_address,
        named_resource=named,
    )
    if content_type == TEST_CALL:
        callback.outcome = Callback.Outcome.TEST
        callback.save(force_insert=True)
    elif not problem and (sync := _sync_of(named)):
        _store_and_enqueue(callback, sync)
    else:
        _store_and_request_full_resync(callback, problem)


def _sync_of(external_id: str) -> ResourceSync | None:
    """The work row of a resource, with what the queue reads of it.

    In SQL, as Django takes longer to compile the same query than PostgreSQL to answer it, at every callback
    (`make bench`: callbacks per second, 0.6 against 0.7 of a bare INSERT).
    """
    rows = ResourceSync.objects.raw(
        """
        SELECT sync.id, resource_id, generation, observed_generation, lease_token, leased_generation, leased_until,
            next_attempt_at
        FROM doorsync_resourcesync AS sync JOIN accessmap_resource AS resource ON resource.id = sync.resource_id
        WHERE resource.external_id = %s
        """,
        [external_id],
    )
    return next(iter(rows), None)


def _store_and_enqueue(callback: Callback, sync: ResourceSync) -> None:
    callback.outcome, callback.resource_id = Callback.Outcome.ENQUEUED, sync.resource_id
    callback.generation = queue.waiting_generation(sync)
    if callback.generation is not None:
        callback.save(force_insert=True)  # all there is to write
        return
    with transaction.atomic():
        callback.generation = queue.request(sync, callback.received_at, cause="callback")
        callback.save(force_insert=True)


@transaction.atomic
def _store_and_request_full_resync(callback: Callback, problem: Problem | None) -> None:
    if problem:
        callback.outcome, callback.problems = Callback.Outcome.UNREADABLE, [problem]
    else:
        callback.outcome = Callback.Outcome.UNKNOWN_RESOURCE
        UnmappedResource.objects.update_or_create(
            external_id=callback.named_resource, defaults={"last_seen_at": callback.received_at}
        )
    # The scheduler limits how often full resyncs run.
    requested = SchedulerState.objects.filter(pk=1, full_resync_requested_at__isnull=True)
    requested.update(full_resync_requested_at=callback.received_at)
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
