"""What can be wrong with the seals of the audit log."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

SEAL_REPLACED = problem(
    "audit.seal_replaced",
    _("Seal %(number)d is gone or replaced: an earlier check read it with the hash %(hash)s."),
)
SEAL_MISSING = problem("audit.seal_missing", _("Seal %(missing)d is missing; the next is %(number)d."))
CHAIN_BROKEN = problem(
    "audit.chain_broken", _("The chain is broken at seal %(number)d: it does not follow the seal before.")
)
SEAL_CHANGED = problem(
    "audit.seal_changed", _("Seal %(number)d was changed: its hash does not match its other fields.")
)
SEALED_ENTRY_MISSING = problem(
    "audit.sealed_entry_missing", _("Entry %(entry)d is missing: seal %(number)d covers it.")
)
ENTRY_CHANGED = problem("audit.entry_changed", _("Entry %(entry)d was changed after seal %(number)d."))
ROOT_DIFFERS = problem(
    "audit.root_differs",
    _("Seal %(number)d covers %(count)d entries, and the %(listed)d listed under it do not make its root."),
)
ENTRY_WITHOUT_SEAL = problem(
    "audit.entry_without_seal",
    _("Entry %(entry)d has no seal and does not wait for one: it was added past the log's triggers."),
)
UNSEALED_ENTRY_MISSING = problem(
    "audit.unsealed_entry_missing", _("Entry %(entry)d is missing: it was deleted before it was sealed.")
)
ENTRY_SEALED_LATE = problem(
    "audit.entry_sealed_late",
    _("Entry %(entry)d has waited for its seal for more than an hour. Check that the worker runs."),
)
