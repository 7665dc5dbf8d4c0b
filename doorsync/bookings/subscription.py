"""The subscription itself is checked, renewed and re-made, so that callbacks keep coming."""

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accessmap.models import Resource
from doorsync.models import SchedulerState
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError
from portal.offision.subscription import ensure_subscribed

log = structlog.get_logger(__name__)


def callback_url() -> str:
    """The address that Offision is told to call. It holds a secret."""
    return f"{settings.PORTAL_PUBLIC_URL}{reverse('callback', args=[settings.CALLBACK_SECRETS[0]])}"


def keep_subscribed() -> None:
    """See that Offision calls us for every resource of the map; note what was done, or why it could not be."""
    resources = list(Resource.objects.order_by("pk").values_list("external_id", flat=True))
    problem, done = "", []
    try:
        done = ensure_subscribed(client_from_settings(), callback_url(), resources, clock.now())
    except OffisionError as error:
        problem = error.summary
        log.warning("the subscription could not be checked", why=problem)
    with transaction.atomic():
        state = SchedulerState.objects.select_for_update().get(pk=1)
        if done or (problem and problem != state.subscription_error):
            record(
                actor="portal",
                action="subscription.kept" if done else "subscription.check",
                on=None,
                label="Offision",
                outcome=Outcome.DONE if done else Outcome.FAILED,
                reasons=list(done) or [problem],
            )
        now = clock.now()
        SchedulerState.objects.filter(pk=1).update(
            subscription_checked_at=now,
            subscribed_at=state.subscribed_at if problem else now,
            subscription_error=problem,
        )
