"""Stored visits: the last description from Offision, by the digest of the code."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction

from portal.offision import types
from portal.offision.statuses import VisitStatus
from visitors.models import Visit

_FIELDS = ["name", "company", "host_email", "valid_from", "valid_until", "status", "offision_site", "seen_at"]
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


def visit_row(visit: types.Visit, digest: str, now: datetime) -> Visit:
    """A row, not saved, for a visit that Offision described at `now`."""
    return Visit(
        code_digest=digest,
        name=visit.name[:300],
        company=visit.company[:300],
        host_email=visit.host_email,
        valid_from=_bounded(visit.valid_from),
        valid_until=_bounded(visit.valid_until),
        status=visit.status.value,
        offision_site=visit.site,
        seen_at=now,
    )


def _bounded(moment: datetime | None) -> datetime | None:
    """The moment, not so close to the calendar's ends that another time zone cannot show it. Servers send those ends
    for "always"."""
    return moment and min(max(moment, _EARLIEST), _LATEST)


def save(row: Visit) -> None:
    """Insert or update the row and lock it until the end of the transaction."""
    Visit.objects.bulk_create([row], update_conflicts=True, unique_fields=["code_digest"], update_fields=_FIELDS)


@transaction.atomic
def save_older(rows: Iterable[Visit], now: datetime) -> None:
    """Insert or update the rows, which describe visits at `now`; a row that was seen later stays as it is."""
    fresh = {row.code_digest: row for row in rows}
    # Locked in one order: two runs at once do not deadlock.
    stored = Visit.objects.select_for_update().filter(code_digest__in=fresh).order_by("code_digest")
    outdated = []
    for visit in stored:
        row = fresh.pop(visit.code_digest)
        if visit.seen_at < now:
            row.pk = visit.pk
            outdated.append(row)
    Visit.objects.bulk_update(outdated, _FIELDS, batch_size=500)
    Visit.objects.bulk_create(fresh.values(), ignore_conflicts=True, batch_size=500)


def is_known(digest: str) -> bool:
    """Whether Offision knew the code when it described the visit last."""
    return Visit.objects.filter(code_digest=digest).exclude(status=VisitStatus.UNKNOWN.value).exists()


def mark_unknown(digest: str) -> None:
    """Offision does not know the code any more: the stored visit is not trusted later."""
    Visit.objects.filter(code_digest=digest).update(status=VisitStatus.UNKNOWN.value)


def seen_since(digest: str, oldest: datetime) -> Visit | None:
    """The stored visit, locked, if Offision described it at `oldest` or later. Within a transaction."""
    return Visit.objects.select_for_update().filter(code_digest=digest, seen_at__gte=oldest).first()
