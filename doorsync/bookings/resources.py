"""Offision's own list of bookable resources, compared with the resources of the access map."""

import structlog

from accessmap.models import Resource
from doorsync.models import UnmappedResource
from portal.core import clock
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError, OperationAbsent

log = structlog.get_logger(__name__)


def list_resources() -> None:
    """The same as fetch_resources, for the scheduler: an error is logged."""
    try:
        fetch_resources()
    except OperationAbsent:
        return
    except OffisionError as error:
        log.warning("resources could not be listed", error=str(error))


def fetch_resources() -> tuple[int, int]:
    """Fetch Offision's list of resources and store those that the map does not have.

    How many it lists, and how many of them the map does not have. Raises OffisionError; OperationAbsent where the
    contract has no such operation.
    """
    listed = client_from_settings().resources()
    now = clock.now()
    known = set(Resource.objects.values_list("external_id", flat=True))
    UnmappedResource.objects.filter(external_id__in=known).delete()
    unknown = [resource for resource in listed if resource.id not in known and len(resource.id) <= 200]
    UnmappedResource.objects.bulk_create(
        (UnmappedResource(external_id=r.id, name=r.name[:300], first_seen_at=now, last_seen_at=now) for r in unknown),
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=["name", "last_seen_at"],
    )
    return len(listed), len(unknown)
