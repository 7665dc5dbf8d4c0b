"""Is somebody at work? For the health page that a monitor asks."""

import dataclasses
from datetime import timedelta

from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable

from doorsync.models import SchedulerState
from portal.core import clock

LONGEST_SILENCE = timedelta(seconds=60)


@dataclasses.dataclass
class Worker(HealthCheck):  # type: ignore[misc]  # the library ships no types
    """Fails when beat and worker have not ticked for a minute."""

    def run(self) -> None:
        ticked_at = SchedulerState.objects.filter(pk=1).values_list("ticked_at", flat=True).first()
        if ticked_at is None or clock.now() - ticked_at > LONGEST_SILENCE:
            raise ServiceUnavailable("No tick for a minute: is the worker running, and beat with it?")
