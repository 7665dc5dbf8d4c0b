"""Calls to a controller or to Offision that a member of staff asked for and a worker makes."""

import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedTextField

from portal.core import clock
from portal.core.problems import ProblemsField


class Job(models.Model):
    """One such call, and what came of it. Rows are deleted after a day. See doorsync.work.jobs."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for a worker")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=50)
    # Keys of rows, never a secret: the worker reads stored options itself.
    params = models.JSONField(default=dict)
    label = models.CharField(max_length=300)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(max_length=20)  # of the requester: a result may hold translated text
    state = models.CharField(max_length=20, choices=State, default=State.WAITING)
    progress = ProblemsField()
    problems = ProblemsField()
    # JSON. A result holds names and emails. EncryptedJSONField would make every number and null a string.
    encrypted_result = EncryptedTextField(null=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, db_index=True)
    enqueued_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "params", "requested_by"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="one_unfinished_job_of_a_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label} ({self.get_state_display()})"

    @property
    def is_finished(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)

    @property
    def actor(self) -> str:
        """The requester's name, for the audit log."""
        return self.requested_by.get_username()

    @property
    def result(self) -> dict[str, Any]:
        """What the job returned; {} before it is done."""
        stored: dict[str, Any] = json.loads(self.encrypted_result or "{}")
        return stored
