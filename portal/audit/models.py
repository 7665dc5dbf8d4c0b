"""The audit log: what was done, to what, by whom, with what outcome and why. Append-only, by database trigger."""

from typing import Any

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal import clock


class Outcome(models.TextChoices):
    DONE = "done", _("done")
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed")
    HELD = "held", _("held for approval")


class Entry(models.Model):
    """One fact. Everything is a plain copy, so that it outlives the rows it names."""

    at = models.DateTimeField(_("at"), default=clock.now, db_index=True)
    actor = models.CharField(_("actor"), max_length=200, help_text=_("A user's name, or the part of the portal."))
    action = models.CharField(_("action"), max_length=100, db_index=True)
    object_type = models.CharField(_("kind of object"), max_length=100)
    object_id = models.CharField(_("object id"), max_length=200)
    object_label = models.CharField(_("object"), max_length=300)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    reasons = models.JSONField(_("reasons"), default=list)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_type", "object_id", "-id"])]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="never_emptied",
                operation=pgtrigger.Truncate,
                when=pgtrigger.Before,
                level=pgtrigger.Statement,
                func="RAISE EXCEPTION 'The audit log is append-only: it cannot be emptied.';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.object_label} ({self.get_outcome_display()})"


def record(
    *,
    actor: str,
    action: str,
    on: models.Model | None,
    label: str = "",
    outcome: Outcome = Outcome.DONE,
    reasons: list[str] | None = None,
    detail: dict[str, Any] | None = None,
) -> Entry:
    """Append one entry. Call it inside the transaction that does what it tells, so that both stand or neither.

    `on` is the object; `label` is used where there is none, or where its own words would say too much.
    """
    return Entry.objects.create(
        actor=actor[:200],
        action=action,
        object_type=on._meta.label if on is not None else "",
        object_id=str(on.pk) if on is not None else "",
        object_label=(label or str(on or ""))[:300],
        outcome=outcome,
        reasons=reasons or [],
        detail=detail or {},
    )
