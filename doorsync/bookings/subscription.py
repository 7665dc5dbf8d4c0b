"""The subscription to resource appointment changes: checked, renewed and made again, so that callbacks keep coming."""

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accessmap.models import Resource
from doorsync.models import SchedulerState
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import QUOTED, Problem, Problems, problem_of
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError
from portal.offision.subscription import ensure_subscribed

log = structlog.get_logger(__name__)


def callback_url() -> str:
    """The address that Offision calls. It contains a secret."""
    return f"{settings.PORTAL_PUBLIC_URL}{reverse('callback', args=[settings.CALLBACK_SECRETS[0]])}"


def keep_subscribed() -> None:
    """Make sure that Offision calls us for every resource of the map; store what was done, or the error."""
    resources = list(Resource.objects.order_by("pk").values_list("external_id", flat=True))
    errors, steps = Problems(), []
    try:
        steps = list(ensure_subscribed(client_from_settings(), callback_url(), resources, clock.now()))
    except OffisionError as error:
        errors = Problems([problem_of(error)])
        log.warning("the subscription could not be checked", error=str(error))
    with transaction.atomic():
        state = SchedulerState.objects.select_for_update().get(pk=1)
        if steps or (errors and errors.keys != state.subscription_error.keys):
            record(
                actor="portal",
                action="subscription.kept" if steps else "subscription.check",
                on=None,
                label="Offision",
                outcome=Outcome.DONE if steps else Outcome.FAILED,
                reasons=[step if isinstance(step, Problem) else QUOTED(text=step) for step in steps] or errors,
            )
        now = clock.now()
        SchedulerState.objects.filter(pk=1).update(
            subscription_checked_at=now,
            subscribed_at=state.subscribed_at if errors else now,
            subscription_error=errors,
        )
