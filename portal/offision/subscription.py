"""Keeps the subscription to resource appointment changes alive."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from portal.offision.client import OffisionClient
from portal.offision.errors import Never, NotFound
from portal.offision.types import Subscription

RENEW_BEFORE = timedelta(days=1)


def ensure_subscribed(
    client: OffisionClient, callback_url: str, resource_ids: Sequence[str], now: datetime
) -> list[str]:
    """Make sure that Offision calls `callback_url`, and say what was done, a sentence each; nothing where all stands.

    One subscription for all resources, or one for each of `resource_ids`, as the contract's scope says. One
    that exists is kept, unless it expires within a day of `now` (aware): then a new one is made before the
    old is deleted, so that no change falls between. Raises OffisionError where Offision cannot be asked or
    the contract lacks an operation.
    """
    per_resource = client.contract.subscription.scope == "per_resource"
    existing = [found for found in client.subscriptions() if _same_url(found.callback_url, callback_url)]
    report: list[str] = []
    refused: list[Never] = []
    for resource_id in dict.fromkeys(resource_ids) if per_resource else [None]:
        ours = [found for found in existing if found.resource_id == resource_id]
        try:
            report += _ensure_one(client, callback_url, resource_id, ours, now)
        except Never as error:  # one that Offision no longer knows must not keep the others from being called
            refused.append(error)
    if refused:
        raise refused[0]
    return report


def _ensure_one(
    client: OffisionClient,
    callback_url: str,
    resource_id: str | None,
    ours: list[Subscription],
    now: datetime,
) -> list[str]:
    what = _("resource %(id)s") % {"id": resource_id} if resource_id else _("all resources")
    if any(found.expires_at is None or found.expires_at - now > RENEW_BEFORE for found in ours):
        return []
    made = client.subscribe(callback_url, resource_id)
    report = [_("Subscribed to %(what)s: subscription %(id)s.") % {"id": made.id, "what": what}]
    # Some servers lengthen the one they have: what carries the same id is not old.
    for old in (found for found in ours if found.id != made.id):
        if not client.contract.has("unsubscribe"):
            report.append(_("Subscription %(id)s is left to expire: the contract cannot delete it.") % {"id": old.id})
            continue
        with suppress(NotFound):  # it may have expired in the meantime
            client.unsubscribe(old.id)
        report.append(_("Ended subscription %(id)s, which was about to expire.") % {"id": old.id})
    return report


def mask_url(url: str) -> str:
    """A callback URL fit to be shown: without the secret in its path's last step, a query or a user."""
    parts = urlsplit(url)
    parent = parts.path.rstrip("/").rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parent}/…/"


def _same_url(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")
