"""Entries of the audit log, for tests of acts."""

from django.db.models import QuerySet

from portal.audit.events import all_events
from portal.audit.models import Entry


def acts() -> QuerySet[Entry]:
    """The entries that services record, without those of the triggers on tables."""
    return Entry.objects.exclude(action__in=[event.code for event in all_events() if event.model])
