"""Fetch the visits of the day ahead of time, if the contract has a list of them."""

from zoneinfo import ZoneInfo

import structlog

from accessmap.models import Site
from portal.core import clock
from portal.offision.default import client_from_settings, contract_from_settings
from portal.offision.errors import OffisionError
from visitors.models import Turnstile
from visitors.verification.codes import MalformedError, digest, normalised
from visitors.visits import store

log = structlog.get_logger(__name__)


def prefetch_visits() -> None:
    """Store Offision's visits of today, in the zone of each site with a turnstile. A failed fetch changes nothing."""
    contract = contract_from_settings()
    if not contract.has("visits"):
        return
    now = clock.now()  # before the fetch: what a scan stores meanwhile is newer
    zones = Site.objects.filter(pk__in=Turnstile.objects.filter(enabled=True).values("site")).values_list(
        "time_zone", flat=True
    )
    rows = {}
    for day in {now.astimezone(ZoneInfo(zone)).date() for zone in zones}:
        try:
            visits = client_from_settings().visits(day)
        except OffisionError as error:
            log.warning("the visits of the day could not be fetched", why=str(error))
            return
        for visit in visits:
            try:
                key = digest(normalised(visit.code, contract.codes))
            except MalformedError:
                continue
            rows[key] = store.visit_row(visit, key, now)
    store.save_older(rows.values(), now)
