"""Fetch the day's visits ahead of time, where the contract has a list of them."""

from zoneinfo import ZoneInfo

import structlog

from accessmap.models import Site
from portal import clock
from portal.offision.configured import client_from_settings, contract_from_settings
from portal.offision.errors import OffisionError
from visitors.codes import MalformedError, digest, normalised
from visitors.models import Turnstile, Visit
from visitors.verify import VISIT_FIELDS, visit_row

log = structlog.get_logger(__name__)


def prefetch_visits() -> None:
    """Keep what Offision lists for today (at each site with a turnstile). A list that fails changes nothing."""
    contract = contract_from_settings()
    if not contract.has("visits"):
        return
    now = clock.now()
    zones = Site.objects.filter(pk__in=Turnstile.objects.filter(enabled=True).values("site")).values_list(
        "time_zone", flat=True
    )
    rows = {}
    for day in {now.astimezone(ZoneInfo(zone)).date() for zone in zones}:
        try:
            found = client_from_settings().visits(day)
        except OffisionError as error:
            log.warning("the day's visits could not be fetched", why=error.summary)
            return
        for visit in found:
            try:
                key = digest(normalised(visit.code, contract.codes))
            except MalformedError:
                continue
            rows[key] = visit_row(visit, key, now)
    Visit.objects.bulk_create(
        [rows[key] for key in sorted(rows)],  # in one order, so that two at once do not wait for each other
        update_conflicts=True,
        unique_fields=["code_digest"],
        update_fields=VISIT_FIELDS,
        batch_size=500,
    )
