"""Fetch the day's visits ahead of time, where the contract has a list of them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction

from accessmap.models import Site
from portal.core import clock
from portal.offision.default import client_from_settings, contract_from_settings
from portal.offision.errors import OffisionError
from visitors.models import Turnstile, Visit
from visitors.verification.codes import MalformedError, digest, normalised
from visitors.verification.verify import VISIT_FIELDS, visit_row

log = structlog.get_logger(__name__)


def prefetch_visits() -> None:
    """Keep what Offision lists for today (at each site with a turnstile). A list that fails changes nothing."""
    contract = contract_from_settings()
    if not contract.has("visits"):
        return
    now = clock.now()  # what a turnstile has learned since then is newer
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
    _keep(rows, now)


@transaction.atomic
def _keep(rows: dict[str, Visit], now: datetime) -> None:
    """Write the visits down, by the digests of their codes; what was seen after `now` stays as it is."""
    # Locked in one order, so that two at once do not wait for each other.
    known = Visit.objects.select_for_update().filter(code_digest__in=rows).order_by("code_digest")
    older = []
    for visit in known:
        fresh = rows.pop(visit.code_digest)
        if visit.seen_at < now:
            fresh.pk = visit.pk
            older.append(fresh)
    Visit.objects.bulk_update(older, VISIT_FIELDS, batch_size=500)
    Visit.objects.bulk_create(rows.values(), ignore_conflicts=True, batch_size=500)
