"""Why a change of the map cannot be put back, and the rows that it names."""

from django.db.models import Model
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    Membership,
    PolicyAdmits,
    PolicyAlways,
    Resource,
    ResourceDoor,
    Site,
)
from portal.core.problems import ProblemType, problem

# A row of the map, by its model and its name.
ROW: dict[type[Model], ProblemType] = {
    model: problem(f"map.{model._meta.model_name}", format_lazy("{} %(name)s", model._meta.verbose_name))
    for model in (
        AccessLevel,
        AccessPolicy,
        Card,
        Cardholder,
        Controller,
        Door,
        Membership,
        PolicyAdmits,
        PolicyAlways,
        Resource,
        ResourceDoor,
        Site,
    )
}

# A change was put back, or cannot be
PUT_BACK = problem("history.put_back", _("Put back: %(what)s."))
IS_GONE = problem("history.is_gone", _("It is gone already."))
IS_THERE = problem("history.is_there", _("It is there again already."))
CHANGED_SINCE = problem("history.changed_since", _("It was changed again since. Put back what came later first."))
DELETED_SINCE = problem("history.deleted_since", _("It was deleted since. Put its deletion back first."))
HAS_PARTS = problem(
    "history.has_parts", _("Other rows belong to it by now. Delete them first, or delete it as a whole.")
)
IN_USE = problem("history.in_use", _("Another row needs it by now. Delete that first."))
BEFORE_UNKNOWN = problem("history.before_unknown", _("It is not known how it was before."))
NOT_KEPT = problem("history.not_kept", _("Not all of it was kept. Enter it anew."))

# A row that undoing an import leaves as it is
LEFT_DELETED = problem("undo.left_deleted", _("%(what)s: deleted since, and stays so."))
LEFT_CHANGED = problem("undo.left_changed", _("%(what)s: changed since, and stays as it is."))
LEFT_WITH_PARTS = problem("undo.left_with_parts", _("%(what)s: other rows belong to it by now; it stays."))
LEFT_WITHOUT_OWNER = problem("undo.left_without_owner", _("%(what)s: the row it belonged to is gone; it stays."))
STAYS_DELETED = problem("undo.stays_deleted", _("%(what)s: the row it belonged to is gone; it stays deleted."))
