"""Imports of sheets."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core import clock
from portal.core.problems import Problem, Problems, ProblemsField


class MapImport(models.Model):
    """An uploaded sheet: checked first, imported on request, undone on request."""

    class Kind(models.TextChoices):
        PEOPLE = "people", _("people and cards")
        RESOURCES = "resources", _("resources and doors")

    class State(models.TextChoices):
        CHECKING = "checking", _("being checked")
        CHECKED = "checked", _("checked, not imported")
        IMPORTING = "importing", _("being imported")
        IMPORTED = "imported", _("imported")
        FAILED = "failed", _("not imported")
        DROPPED = "dropped", _("dropped")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    # The states in which a worker has something to do; the others wait for a person.
    WORK = (State.CHECKING, State.IMPORTING, State.UNDOING)

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.CHECKING)
    file_name = models.CharField(_("file"), max_length=200)
    # Cleared once it is imported or dropped: it names people and whole card numbers.
    content = models.BinaryField(editable=False, default=b"")
    actor = models.CharField(_("uploaded by"), max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    uploaded_at = models.DateTimeField(_("uploaded"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True)
    leased_until = models.DateTimeField(null=True, editable=False)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    created = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    errors = models.PositiveIntegerField(_("rows with errors"), default=0)
    # For its page, card numbers masked, no more rows than a page can show: [[row, column, problem], ...] and
    # [[row, who or what, [problem, ...]], ...], see portal.core.problems.
    error_rows = models.JSONField(default=list, editable=False)
    change_rows = models.JSONField(default=list, editable=False)
    notes = ProblemsField(editable=False)
    context = models.UUIDField(null=True, editable=False, help_text=_("Its changes in history."))

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.get_state_display()})"

    @property
    def row_errors(self) -> list[tuple[int, str, Problem]]:
        """Row number, column, and what is wrong there."""
        return [(number, column, Problem.from_json(stored)) for number, column, stored in self.error_rows]

    @property
    def row_changes(self) -> list[tuple[int, str, Problems]]:
        """Row number, who or what the row is about, and what it changes."""
        return [
            (number, subject, Problems(map(Problem.from_json, stored))) for number, subject, stored in self.change_rows
        ]
