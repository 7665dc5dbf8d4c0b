"""The audit log: what was done, to what, by whom, with what outcome and why. Append-only, by database trigger."""

from collections.abc import Iterable
from typing import Any, ClassVar

import pgtrigger
import structlog
from django.conf import settings
from django.db import connection, models, transaction
from django.utils.translation import gettext_lazy as _

from portal.audit.accounts import (  # noqa: F401 (so that migrations see them)
    AuditedGroup,
    AuditedGroupPermission,
    AuditedUser,
    AuditedUserGroup,
    AuditedUserPermission,
)
from portal.audit.events import AuditEvent, event_of
from portal.audit.sealing import NOTHING
from portal.audit.triggers import never_emptied
from portal.core import clock
from portal.core.problems import QUOTED, Problem, ProblemsField

log = structlog.get_logger(__name__)


class Outcome(models.TextChoices):
    DONE = "done", _("done")
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed")
    PENDING = "pending", _("pending approval")


def _append_only(emptied: str) -> list[pgtrigger.Trigger]:
    return [
        pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        never_emptied(emptied),
    ]


class EntryQuerySet(models.QuerySet["Entry"]):
    def bulk_create(self, objs: Iterable["Entry"], *args: Any, **kwargs: Any) -> list["Entry"]:
        entries = list(objs)
        for entry in entries:
            entry.check_event()
        check_transaction()
        return super().bulk_create(entries, *args, **kwargs)


class Entry(models.Model):
    """One fact. Everything is a plain copy, so that it outlives the rows it names."""

    objects: ClassVar[models.Manager["Entry"]] = EntryQuerySet.as_manager()

    at = models.DateTimeField(_("at"), default=clock.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=200, help_text=_("A user's name, or the part of the portal."))
    action = models.CharField(_("action"), max_length=100, db_index=True)
    object_type = models.CharField(_("kind of object"), max_length=100)
    object_id = models.CharField(_("object id"), max_length=200)
    object_label = models.CharField(_("object"), max_length=300)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    reasons = ProblemsField(_("reasons"))
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_type", "object_id", "-id"]), models.Index(fields=["outcome", "-at"])]
        triggers = [
            *_append_only("The audit log is append-only: it cannot be emptied."),
            # A transaction that commits late makes an entry with a low number appear late. So no number says what is
            # sealed: an entry waits from the moment it can be seen until a seal covers it.
            pgtrigger.Trigger(
                name="wait_for_seal",
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                func="INSERT INTO audit_unsealed (entry_id, since) VALUES (NEW.id, now()); RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sentence} ({self.get_outcome_display()})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.check_event()
        check_transaction()
        super().save(*args, **kwargs)

    @property
    def sentence(self) -> str:
        """What happened, in the active language; the code, where no version of the portal here declares it."""
        event = event_of(self.action)
        if event is None:
            return f"{self.actor}: {self.action} {self.object_label}"
        return event.tell({**self.detail, "actor": self.actor, "object": self.object_label or "–"})

    def check_event(self) -> None:
        """See `defect`: the event must be declared, and so must every key of the detail."""
        event = event_of(self.action)
        if event is None:
            defect(f"The audit event {self.action} is declared in no audit_events.py.")
        elif undeclared := self.detail.keys() - event.parameters:
            defect(f"The audit event {self.action} does not declare the parameters {sorted(undeclared)}.")


class Unsealed(models.Model):
    """An entry that no seal covers yet. Written by the entry's trigger, taken away by the sealer."""

    entry_id = models.BigIntegerField(primary_key=True)
    since = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.entry_id)


class Seal(models.Model):
    """What closes a block of entries: it covers them all, and the seal before. See portal.audit.sealing."""

    number = models.BigIntegerField(_("number"), primary_key=True)
    first_id = models.BigIntegerField(_("first entry"))
    last_id = models.BigIntegerField(_("last entry"))
    count = models.PositiveIntegerField(_("entries"))
    root = models.CharField(_("root"), max_length=64)
    previous = models.CharField(_("hash of the seal before"), max_length=64)
    hash = models.CharField(_("hash"), max_length=64)
    sealed_at = models.DateTimeField(_("sealed"))

    class Meta:
        verbose_name = _("seal of the audit log")
        verbose_name_plural = _("seals of the audit log")
        ordering = ["-number"]
        triggers = _append_only("The seals of the audit log are append-only: they cannot be emptied.")

    def __str__(self) -> str:
        return _("Seal %(number)s") % {"number": self.number}


class SealedEntry(models.Model):
    """Which seal covers an entry, and the hash of the entry, so that a check can name the changed entry."""

    # No constraint to the entry: it must be possible to see that the entry is gone.
    entry_id = models.BigIntegerField(primary_key=True)
    seal = models.ForeignKey(Seal, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    leaf = models.BinaryField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["seal", "entry_id"], name="sealed_entries_of_a_seal")]
        triggers = _append_only("The seals of the audit log are append-only: they cannot be emptied.")

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.seal_id}"


class SealCheck(models.Model):
    """The result of the last check of the seals; one row."""

    last_error = ProblemsField(_("last error"))
    checked_at = models.DateTimeField(_("checked"), null=True)
    # The last check of every seal from the first.
    all_checked_at = models.DateTimeField(_("all checked"), null=True)
    # The last seal in order.
    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=NOTHING)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.last_error) or str(self.number)


class AuditError(Exception):
    """The program records something wrongly. A defect of the program, not of its data."""


def defect(message: str) -> None:
    """Raise AuditError in development, in tests and in the demo. In production the entry is written all the same: an
    entry that says too much is better than a door that does not follow because of it. The message goes into the log."""
    if settings.DEBUG or settings.DEMO:
        raise AuditError(message)
    log.error(message)


def check_transaction() -> None:
    """See `defect`: an entry must be written in the transaction of the act. A test's own transaction does not count."""
    if all(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        defect("An audit entry is recorded outside the transaction of the act.")


def entry(
    *,
    actor: str,
    action: AuditEvent | str,
    on: models.Model | None,
    label: str = "",
    outcome: Outcome = Outcome.DONE,
    reasons: Iterable[Problem | str] = (),
    detail: dict[str, Any] | None = None,
) -> Entry:
    """An entry that is not stored yet, for Entry.objects.bulk_create. See `record`."""
    return Entry(
        actor=actor[:200],
        action=action.code if isinstance(action, AuditEvent) else action,
        object_type=on._meta.label if on is not None else "",
        object_id=str(on.pk) if on is not None else "",
        object_label=(label or str(on or ""))[:300],
        outcome=outcome,
        reasons=[QUOTED(text=one) if isinstance(one, str) else one for one in reasons],
        detail=detail or {},
    )


def record(
    *,
    actor: str,
    action: AuditEvent | str,
    on: models.Model | None,
    label: str = "",
    outcome: Outcome = Outcome.DONE,
    reasons: Iterable[Problem | str] = (),
    detail: dict[str, Any] | None = None,
) -> Entry:
    """Append one entry, in the transaction of the act that it describes.

    `action` is declared in an audit_events.py, with the keys of `detail`. `on` is the object; `label` replaces its text
    where there is no object, or where its text would say too much. Raises AuditError: see `defect`.
    """
    appended = entry(actor=actor, action=action, on=on, label=label, outcome=outcome, reasons=reasons, detail=detail)
    appended.save(force_insert=True)
    return appended


# For an act that writes nothing else to this database: the entry in a transaction of its own. See `record`.
record_alone = transaction.atomic(record)
