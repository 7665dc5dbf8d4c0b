"""What became of the map's rows, and how a change is put back. pghistory keeps an event of each.

Nothing is put back over something newer: what was changed again since stays, and is named.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models, transaction
from django.db.models import ProtectedError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pghistory.models import Context

from accessmap.models import (
    AccessPolicy,
    Card,
    Cardholder,
    Membership,
    PolicyAdmits,
    PolicyAlways,
    Resource,
    ResourceDoor,
    masked,
)
from portal.audit.models import record
from portal.core.clock import local

# The rows that are part of another's page, and the field that says so.
PARTS: dict[type[models.Model], list[tuple[type[models.Model], str]]] = {
    Cardholder: [(Card, "cardholder"), (Membership, "cardholder")],
    Resource: [(ResourceDoor, "resource")],
    AccessPolicy: [(PolicyAdmits, "policy"), (PolicyAlways, "policy")],
}
# In this order an import's rows are taken back: what hangs on others first.
_UNDONE_IN_ORDER: list[type[models.Model]] = [Membership, ResourceDoor, Card, Cardholder, Resource]
# So much of a row's past is shown.
SHOWN = 200
INSERTED, UPDATED, DELETED = "insert", "update", "delete"
_LABELS = {INSERTED: gettext_lazy("added"), UPDATED: gettext_lazy("changed"), DELETED: gettext_lazy("deleted")}


class CannotPutBack(Exception):
    """Why a change stays."""


@dataclass
class Difference:
    field: str
    before: str
    after: str


@dataclass
class Change:
    """One event, for people."""

    app: str
    model: str
    event_id: int
    kind: str
    at: datetime
    who: str
    what: str
    verb: str | Promise
    differences: list[Difference] = field(default_factory=list)


def event_model(model: type[models.Model]) -> Any:
    """The table of a model's events."""
    return model.pgh_event_model  # type: ignore[attr-defined]


def changes_of(row: models.Model) -> list[Change]:
    """The latest changes of a row and of what is part of it, newest first."""
    tables: list[tuple[type[models.Model], dict[str, Any]]] = [(type(row), {"pgh_obj_id": row.pk})]
    tables += [(part, {f"{name}_id": row.pk}) for part, name in PARTS.get(type(row), [])]
    found: list[tuple[type[models.Model], Any, Any]] = []
    for model, where in tables:
        # One more than is shown, so that the oldest shown has something to differ from.
        events = list(event_model(model).objects.filter(**where).order_by("-pgh_id")[: SHOWN + 1])
        older: dict[int, Any] = {}
        for event in reversed(events):
            found.append((model, event, older.get(event.pgh_obj_id)))
            older[event.pgh_obj_id] = event
    # One transaction's events are all of one moment: what is part of something is added after it.
    found.sort(key=lambda one: (one[1].pgh_created_at, one[0] is not type(row), one[1].pgh_id), reverse=True)
    return _in_words(found[:SHOWN], type(row))


def deletions(model: type[models.Model]) -> list[Change]:
    """The rows that were deleted last and are not there again, newest first."""
    there = model._default_manager.filter(pk=models.OuterRef("pgh_obj_id"))
    events = event_model(model).objects.filter(~models.Exists(there), pgh_label=DELETED).order_by("-pgh_id")[:SHOWN]
    return _in_words([(model, event, None) for event in events], model)


def told_with(model: type[models.Model]) -> list[type[models.Model]]:
    """The models whose events are told on the page of a row of this one."""
    return [model, *(part for part, _name in PARTS.get(model, []))]


def event_of(model: type[models.Model], event_id: int) -> Any:
    """One event of a model's, or None."""
    return event_model(model).objects.filter(pk=event_id).first()


def _in_words(found: Sequence[tuple[type[models.Model], Any, Any]], within: type[models.Model]) -> list[Change]:
    who = _who(event.pgh_context_id for _model, event, _before in found)
    names = _names(found)
    return [
        Change(
            app=model._meta.app_label,
            model=model._meta.model_name or "",
            event_id=event.pgh_id,
            kind=event.pgh_label,
            at=event.pgh_created_at,
            who=who.get(event.pgh_context_id, "–"),
            what=str(model._meta.verbose_name) if model is not within else "",
            verb=_LABELS.get(event.pgh_label, event.pgh_label),
            differences=_differences(model, event, before, names, within=within),
        )
        for model, event, before in found
    ]


def _who(contexts: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, str]:
    """Who stood behind each context, in words."""
    metadata = dict(Context.objects.filter(pk__in={key for key in contexts if key}).values_list("pk", "metadata"))
    users = {data["user"] for data in metadata.values() if data.get("user")}
    usernames = dict(User.objects.filter(pk__in=users).values_list("pk", "username"))
    said: dict[uuid.UUID | None, str] = {}
    for key, data in metadata.items():
        name = usernames.get(data.get("user"), data.get("actor", "–"))
        if data.get("import_id"):
            name = _("%(who)s, by import %(n)d") % {"who": name, "n": data["import_id"]}
        elif data.get("undo_of_import"):
            name = _("%(who)s, undoing import %(n)d") % {"who": name, "n": data["undo_of_import"]}
        said[key] = name
    return said


def _names(found: Iterable[tuple[type[models.Model], Any, Any]]) -> dict[tuple[type[models.Model], int], str]:
    """What foreign keys lead to, by name: one query for each model."""
    keys: dict[type[models.Model], set[int]] = {}
    for model, event, before in found:
        for name in _tracked(model):
            related = model._meta.get_field(name).related_model
            if related is not None and isinstance(related, type):
                keys.setdefault(related, set()).update(
                    getattr(one, f"{name}_id") for one in (event, before) if one is not None
                )
    return {
        (model, pk): str(row)
        for model, some in keys.items()
        for pk, row in model._default_manager.in_bulk(some).items()
    }


def _tracked(model: type[models.Model]) -> list[str]:
    """The fields of a model that its events keep, without its key."""
    kept = {one.name for one in event_model(model)._meta.get_fields()}
    return [one.name for one in model._meta.concrete_fields if one.name in kept and not one.primary_key]


def _snapshot(model: type[models.Model], row: Any) -> dict[str, Any]:
    """The tracked values of a row or an event, by attribute (so a foreign key is its number)."""
    attributes = [model._meta.get_field(name).attname for name in _tracked(model)]  # type: ignore[union-attr]
    return {attribute: getattr(row, attribute) for attribute in attributes}


def _differences(
    model: type[models.Model], event: Any, before: Any, names: dict[Any, str], *, within: type[models.Model]
) -> list[Difference]:
    found = []
    for name in _tracked(model):
        column = model._meta.get_field(name)
        if model is not within and column.related_model is within:
            continue  # whose page this is says it already
        attribute = column.attname  # type: ignore[union-attr]
        after = getattr(event, attribute)
        old = getattr(before, attribute) if before is not None else None
        if event.pgh_label == DELETED:
            old, after = after, None
        elif event.pgh_label == INSERTED:
            old = None
        elif before is not None and old == after:
            continue
        found.append(
            Difference(
                str(column.verbose_name),  # type: ignore[union-attr]
                _shown(column, old, names) if before is not None or event.pgh_label != UPDATED else "?",
                _shown(column, after, names),
            )
        )
    return [one for one in found if (one.before, one.after) != ("–", "–")]


def _shown(column: Any, value: Any, names: dict[Any, str]) -> str:
    if value is None or value == "":
        return "–"
    if column.model is Card and column.name == "number":
        return masked(value)
    if column.related_model is not None:
        return names.get((column.related_model, value), _("(deleted)"))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return local(value)
    if isinstance(value, list):
        choices = dict(column.base_field.flatchoices)
        return ", ".join(str(choices.get(one, one)) for one in value) or "–"
    return str(dict(column.flatchoices).get(value, value))


def page_of(model: type[models.Model], event: Any) -> tuple[type[models.Model], int]:
    """Whose page a row's event is told on: its own, or that of the row it is part of."""
    for whole, parts in PARTS.items():
        for part, name in parts:
            if part is model:
                return whole, getattr(event, f"{name}_id")
    return model, event.pgh_obj_id


@transaction.atomic
def put_back(model: type[models.Model], event_id: int, *, actor: str) -> str:
    """Put one change back. What was done, in a sentence. Raises CannotPutBack."""
    events = event_model(model).objects
    event = events.get(pk=event_id)
    row = model._default_manager.select_for_update(of=("self",)).filter(pk=event.pgh_obj_id).first()
    if event.pgh_label == INSERTED:
        label = _take_away(model, row, event)
    elif event.pgh_label == UPDATED:
        before = events.filter(pgh_obj_id=event.pgh_obj_id, pgh_id__lt=event.pgh_id).order_by("-pgh_id").first()
        label = _change_back(model, row, event, before)
    else:
        label = _bring_back(model, row, event)
    said = _("Put back: %(what)s %(label)s.") % {"what": model._meta.verbose_name, "label": label}
    record(
        actor=actor,
        action="history.put_back",
        on=model(pk=event.pgh_obj_id),
        label=f"{model._meta.verbose_name} {label}",
        reasons=[said],
        detail={"event": event_id, "kind": event.pgh_label},
    )
    return said


def _take_away(model: type[models.Model], row: models.Model | None, event: Any) -> str:
    if row is None:
        raise CannotPutBack(_("It is gone already."))
    if _snapshot(model, row) != _snapshot(model, event):
        raise CannotPutBack(_("It was changed again since. Put back what came later first."))
    if any(part._default_manager.filter(**{name: row}).exists() for part, name in PARTS.get(model, [])):
        raise CannotPutBack(_("Something hangs on it by now. Take that away first, or delete it as a whole."))
    label = str(row)
    try:
        row.delete()
    except ProtectedError as error:
        raise CannotPutBack(_("Something needs it by now. Take that away first.")) from error
    return label


def _change_back(model: type[models.Model], row: models.Model | None, event: Any, before: Any) -> str:
    if before is None:
        raise CannotPutBack(_("It is not known how it was before."))
    if row is None:
        raise CannotPutBack(_("It was deleted since. Put its deletion back first."))
    old, new = _snapshot(model, before), _snapshot(model, event)
    changed = [name for name in new if new[name] != old[name]]
    if any(getattr(row, name) != new[name] for name in changed):
        raise CannotPutBack(_("It was changed again since. Put back what came later first."))
    for name in changed:
        setattr(row, name, old[name])
    _checked(row)
    row.save(update_fields=changed)
    return str(row)


def _bring_back(model: type[models.Model], row: models.Model | None, event: Any) -> str:
    if row is not None:
        raise CannotPutBack(_("It is there again already."))
    if not event.can_revert:
        raise CannotPutBack(_("Not all of it was kept. Enter it anew."))
    again = model(pk=event.pgh_obj_id, **_snapshot(model, event))
    _checked(again)
    again.save(force_insert=True)
    return str(again)


def _checked(row: models.Model) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise CannotPutBack(" ".join(error.messages)) from error


@dataclass
class Undone:
    restored: int = 0
    left: list[str] = field(default_factory=list)


def undo(context: uuid.UUID, *, on_progress: Callable[[int], None]) -> Undone:
    """Take back all that was done in one context of history, but for what was changed again since. Call it in a
    transaction."""
    undone = Undone()
    for model in _UNDONE_IN_ORDER:
        _undo_in(model, context, undone)
        on_progress(undone.restored)
    return undone


def _undo_in(model: type[models.Model], context: uuid.UUID, undone: Undone) -> None:
    table = event_model(model).objects
    events = list(table.filter(pgh_context_id=context).order_by("pgh_id"))
    if not events:
        return
    first: dict[int, Any] = {}
    last: dict[int, Any] = {}
    for event in events:
        first.setdefault(event.pgh_obj_id, event)
        last[event.pgh_obj_id] = event
    rows = model._default_manager.select_for_update(of=("self",)).order_by("pk").in_bulk(list(first))
    before = _states_before(table, context, first, events[-1].pgh_id)
    take_away, change_back, bring_back = [], [], []
    for pk, begun in first.items():
        row = rows.get(pk)
        if last[pk].pgh_label == DELETED:
            if row is None and begun.pgh_label != INSERTED:
                bring_back.append(begun if begun.pgh_label == DELETED else before[pk])
        elif row is None:
            undone.left.append(_("%(what)s: deleted since, and stays so.") % {"what": _label(model, last[pk])})
        elif _snapshot(model, row) != _snapshot(model, last[pk]):
            undone.left.append(_("%(what)s: changed since, and stays as it is.") % {"what": _label(model, row)})
        elif begun.pgh_label == INSERTED:
            take_away.append(row)
        elif pk in before:
            change_back.append((row, before[pk]))
    _take_away_all(model, take_away, undone)
    _change_back_all(model, change_back, undone)
    _bring_back_all(model, bring_back, undone)


def _states_before(table: Any, context: uuid.UUID, first: dict[int, Any], until: int) -> dict[int, Any]:
    """How the rows were before the context changed them. No other's event lies between a context's own of one row."""
    changed = [pk for pk, event in first.items() if event.pgh_label == UPDATED]
    events = (
        table.filter(pgh_obj_id__in=changed, pgh_id__lt=until)
        .exclude(pgh_context_id=context)
        .order_by("pgh_obj_id", "-pgh_id")
        .distinct("pgh_obj_id")
    )
    return {event.pgh_obj_id: event for event in events}


def _label(model: type[models.Model], row: Any) -> str:
    """A row, or its event, by name; by number where what its name needs is gone."""
    if not isinstance(row, model):
        row = model(pk=row.pgh_obj_id, **_snapshot(model, row))
    try:
        return f"{model._meta.verbose_name} {row}"
    except ObjectDoesNotExist:
        return f"{model._meta.verbose_name} {row.pk}"


def _take_away_all(model: type[models.Model], rows: list[models.Model], undone: Undone) -> None:
    keys = {row.pk for row in rows}
    hung = {
        pk
        for part, name in PARTS.get(model, [])
        for pk in part._default_manager.filter(**{f"{name}__in": keys}).values_list(f"{name}_id", flat=True)
    }
    for row in rows:
        if row.pk in hung:
            undone.left.append(_("%(what)s: something hangs on it by now; it stays.") % {"what": _label(model, row)})
    model._default_manager.filter(pk__in=keys - hung).delete()
    undone.restored += len(keys - hung)


def _change_back_all(model: type[models.Model], pairs: list[tuple[models.Model, Any]], undone: Undone) -> None:
    changed: list[models.Model] = []
    fields: set[str] = set()
    gone = _gone(model, [event for _row, event in pairs])
    for row, event in pairs:
        if event.pgh_id in gone:
            undone.left.append(_("%(what)s: what it belonged to is gone; it stays.") % {"what": _label(model, row)})
            continue
        for name, value in _snapshot(model, event).items():
            if getattr(row, name) != value:
                setattr(row, name, value)
                fields.add(name)
        changed.append(row)
    if fields:
        model._default_manager.bulk_update(changed, fields, batch_size=500)
    undone.restored += len(changed)


def _bring_back_all(model: type[models.Model], events: list[Any], undone: Undone) -> None:
    gone = _gone(model, events)
    again = [model(pk=event.pgh_obj_id, **_snapshot(model, event)) for event in events if event.pgh_id not in gone]
    for event in events:
        if event.pgh_id in gone:
            undone.left.append(_("What it belonged to is gone: %(what)s.") % {"what": model._meta.verbose_name})
    # Whoever gave the same level or door again meanwhile has done it already.
    model._default_manager.bulk_create(again, ignore_conflicts=True, batch_size=500)
    undone.restored += len(again)


def _gone(model: type[models.Model], events: list[Any]) -> set[int]:
    """The events (by key) that name rows which are not there any more."""
    missing: set[int] = set()
    for name in _tracked(model):
        related = model._meta.get_field(name).related_model
        if not isinstance(related, type):
            continue
        wanted = {getattr(event, f"{name}_id") for event in events}
        there = set(related._default_manager.filter(pk__in=wanted).values_list("pk", flat=True))
        missing |= {event.pgh_id for event in events if getattr(event, f"{name}_id") not in there}
    return missing
