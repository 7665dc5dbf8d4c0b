"""Keeps the subscription to resource appointment changes alive."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from portal.core.problems import Problem
from portal.offision import problems
from portal.offision.client import OffisionClient
from portal.offision.errors import Never, NotFound
from portal.offision.types import Subscription

RENEW_BEFORE = timedelta(days=1)


def ensure_subscribed(
    client: OffisionClient, callback_url: str, resource_ids: Sequence[str], now: datetime
) -> list[Problem]:
    """Make sure that Offision calls `callback_url`. Returns what was done; nothing where nothing was needed.

    One subscription for all resources, or one for each of `resource_ids`, as the contract's scope says. A subscription
    is kept unless it expires within a day of `now` (aware): then a new one is made before the old one is deleted, so
    that no change is missed. Raises OffisionError where Offision gives no answer or the contract lacks an operation.
    """
    per_resource = client.contract.subscription.scope == "per_resource"
    ours = [one for one in client.subscriptions() if is_same_url(one.callback_url, callback_url)]
    done: list[Problem] = []
    refusals: list[Never] = []
    for resource_id in dict.fromkeys(resource_ids) if per_resource else [None]:
        existing = [one for one in ours if one.resource_id == resource_id]
        try:
            done += _ensure_one(client, callback_url, resource_id, existing, now)
        except Never as error:  # a resource that Offision no longer knows must not stop the others
            refusals.append(error)
    if refusals:
        raise refusals[0]
    return done


def _ensure_one(
    client: OffisionClient,
    callback_url: str,
    resource_id: str | None,
    existing: list[Subscription],
    now: datetime,
) -> list[Problem]:
    if any(one.expires_at is None or one.expires_at - now > RENEW_BEFORE for one in existing):
        return []
    new = client.subscribe(callback_url, resource_id)
    done = [
        problems.SUBSCRIBED(resource=resource_id, id=new.id) if resource_id else problems.SUBSCRIBED_TO_ALL(id=new.id)
    ]
    # Some servers extend the subscription they have: one with the same id is not old.
    for old in (one for one in existing if one.id != new.id):
        if not client.contract.has("unsubscribe"):
            done.append(problems.LEFT_TO_EXPIRE(id=old.id))
            continue
        with suppress(NotFound):  # it expired in the meantime
            client.unsubscribe(old.id)
        done.append(problems.UNSUBSCRIBED(id=old.id))
    return done


def mask_url(url: str) -> str:
    """A callback URL without its secrets: the last step of its path, its query and its user."""
    parts = urlsplit(url)
    parent = parts.path.rstrip("/").rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parent}/…/"


def is_same_url(one: str, other: str) -> bool:
    """Whether two callback URLs differ in a final slash at most."""
    return one.rstrip("/") == other.rstrip("/")
