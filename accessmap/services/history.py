"""The history of the map's rows, from pghistory's events, and how a change is put back.

A newer change is never overwritten: a row that was changed again since stays as it is, and is named.
"""

import uuid
from collections import defaultdict
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

from accessmap import problems
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
from portal.core.problems import QUOTED, Problem

Model = type[models.Model]

# The models whose rows are shown on the page of another's row, and their foreign key to it.
PARTS: dict[Model, list[tuple[Model, str]]] = {
    Cardholder: [(Card, "cardholder"), (Membership, "cardholder")],
    Resource: [(ResourceDoor, "resource")],
    AccessPolicy: [(PolicyAdmits, "policy"), (PolicyAlways, "policy")],
}
# The order in which the rows of an import are undone: parts before what they belong to.
_UNDO_ORDER: list[Model] = [Membership, ResourceDoor, Card, Cardholder, Resource]
# How many changes of a row are shown.
SHOWN = 200
INSERTED, UPDATED, DELETED = "insert", "update", "delete"
_LABELS = {INSERTED: gettext_lazy("added"), UPDATED: gettext_lazy("changed"), DELETED: gettext_lazy("deleted")}
_NOTHING = "–"


class CannotPutBack(Exception):
    """A change cannot be put back; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass
class Difference:
    field: str
    before: str
    after: str


@dataclass
class Change:
    """One event, as a page shows it."""

    app: str
    model: str
    event_id: int
    kind: str
    at: datetime
    who: str
    what: str
    verb: str | Promise
    differences: list[Difference] = field(default_factory=list)


def event_model(model: Model) -> Any:
    """The table of a model's events."""
    return model.pgh_event_model  # type: ignore[attr-defined]


def changes_of(row: models.Model) -> list[Change]:
    """The latest changes of a row and of its parts, newest first."""
    tables: list[tuple[Model, dict[str, Any]]] = [(type(row), {"pgh_obj_id": row.pk})]
    tables += [(part, {f"{name}_id": row.pk}) for part, name in PARTS.get(type(row), [])]
    events: list[tuple[Model, Any, Any]] = []
    for model, where in tables:
        # One more than is shown, so that the oldest that is shown has an event to be compared with.
        latest = list(event_model(model).objects.filter(**where).order_by("-pgh_id")[: SHOWN + 1])
        previous: dict[int, Any] = {}
        for event in reversed(latest):
            events.append((model, event, previous.get(event.pgh_obj_id)))
            previous[event.pgh_obj_id] = event
    # The events of one transaction have the same time: a part is added after its whole.
    events.sort(key=lambda entry: (entry[1].pgh_created_at, entry[0] is not type(row), entry[1].pgh_id), reverse=True)
    return _shown_changes(events[:SHOWN], type(row))


def deletions(model: Model) -> list[Change]:
    """The latest deletions of rows that do not exist again, newest first."""
    existing = model._default_manager.filter(pk=models.OuterRef("pgh_obj_id"))
    events = event_model(model).objects.filter(~models.Exists(existing), pgh_label=DELETED).order_by("-pgh_id")[:SHOWN]
    return _shown_changes([(model, event, None) for event in events], model)


def models_on_page_of(model: Model) -> list[Model]:
    """The models whose events are shown on the page of a row of this one."""
    return [model, *(part for part, _name in PARTS.get(model, []))]


def event_of(model: Model, event_id: int) -> Any:
    """One event of a model, or None."""
    return event_model(model).objects.filter(pk=event_id).first()


def page_of(model: Model, event: Any) -> tuple[Model, int]:
    """Model and key of the row on whose page an event is shown: the event's own row, or the row it is part of."""
    for whole, parts in PARTS.items():
        for part, name in parts:
            if part is model:
                return whole, getattr(event, f"{name}_id")
    return model, event.pgh_obj_id


def _shown_changes(events: Sequence[tuple[Model, Any, Any]], page: Model) -> list[Change]:
    authors = _authors(event.pgh_context_id for _model, event, _previous in events)
    names = _names(events)
    return [
        Change(
            app=model._meta.app_label,
            model=model._meta.model_name or "",
            event_id=event.pgh_id,
            kind=event.pgh_label,
            at=event.pgh_created_at,
            who=authors.get(event.pgh_context_id, _NOTHING),
            what=str(model._meta.verbose_name) if model is not page else "",
            verb=_LABELS.get(event.pgh_label, event.pgh_label),
            differences=_differences(model, event, previous, names, page=page),
        )
        for model, event, previous in events
    ]


def _authors(contexts: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, str]:
    """Who made the changes of each context."""
    metadata = dict(Context.objects.filter(pk__in={key for key in contexts if key}).values_list("pk", "metadata"))
    users = {data["user"] for data in metadata.values() if data.get("user")}
    usernames = dict(User.objects.filter(pk__in=users).values_list("pk", "username"))
    authors: dict[uuid.UUID | None, str] = {}
    for key, data in metadata.items():
        name = usernames.get(data.get("user"), data.get("actor", _NOTHING))
        if data.get("import_id"):
            name = _("%(who)s, by import %(n)d") % {"who": name, "n": data["import_id"]}
        elif data.get("undo_of_import"):
            name = _("%(who)s, undoing import %(n)d") % {"who": name, "n": data["undo_of_import"]}
        authors[key] = name
    return authors


def _names(events: Iterable[tuple[Model, Any, Any]]) -> dict[tuple[Model, int], str]:
    """The names of the rows that foreign keys point to, with one query for each model."""
    keys: dict[Model, set[int]] = defaultdict(set)
    for model, event, previous in events:
        for name, related in _foreign_keys(model):
            keys[related] |= {getattr(version, f"{name}_id") for version in (event, previous) if version is not None}
    return {
        (model, pk): str(row)
        for model, wanted in keys.items()
        for pk, row in model._default_manager.in_bulk(wanted).items()
    }


def _tracked(model: Model) -> list[Any]:
    """The fields of a model that its events keep, without its primary key."""
    kept = {column.name for column in event_model(model)._meta.get_fields()}
    return [column for column in model._meta.concrete_fields if column.name in kept and not column.primary_key]


def _foreign_keys(model: Model) -> list[tuple[str, Model]]:
    """Those of the tracked fields that point to another model."""
    return [(column.name, column.related_model) for column in _tracked(model) if column.related_model is not None]


def _snapshot(model: Model, row: Any) -> dict[str, Any]:
    """The tracked values of a row or an event, by attribute (so a foreign key is its number)."""
    return {column.attname: getattr(row, column.attname) for column in _tracked(model)}


def _differences(
    model: Model, event: Any, previous: Any, names: dict[tuple[Model, int], str], *, page: Model
) -> list[Difference]:
    differences = []
    for column in _tracked(model):
        if model is not page and column.related_model is page:
            continue  # the page is about that row
        after = getattr(event, column.attname)
        before = getattr(previous, column.attname) if previous is not None else None
        if event.pgh_label == DELETED:
            before, after = after, None
        elif event.pgh_label == INSERTED:
            before = None
        elif previous is not None and before == after:
            continue
        is_known = previous is not None or event.pgh_label != UPDATED
        shown = (_shown(column, before, names) if is_known else "?", _shown(column, after, names))
        if shown != (_NOTHING, _NOTHING):
            differences.append(Difference(str(column.verbose_name), *shown))
    return differences


def _shown(column: Any, value: Any, names: dict[tuple[Model, int], str]) -> str:
    if value is None or value == "":
        return _NOTHING
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
        return ", ".join(str(choices.get(choice, choice)) for choice in value) or _NOTHING
    return str(dict(column.flatchoices).get(value, value))


@transaction.atomic
def put_back(model: Model, event_id: int, *, actor: str) -> Problem:
    """Put one change back. Returns what was done. Raises CannotPutBack."""
    events = event_model(model).objects
    event = events.get(pk=event_id)
    row = model._default_manager.select_for_update(of=("self",)).filter(pk=event.pgh_obj_id).first()
    if event.pgh_label == INSERTED:
        name = _delete_again(model, row, event)
    elif event.pgh_label == UPDATED:
        previous = events.filter(pgh_obj_id=event.pgh_obj_id, pgh_id__lt=event.pgh_id).order_by("-pgh_id").first()
        name = _change_back(model, row, event, previous)
    else:
        name = _create_again(model, row, event)
    done = problems.PUT_BACK(what=problems.ROW[model](name=name))
    record(
        actor=actor,
        action="history.put_back",
        on=model(pk=event.pgh_obj_id),
        label=name,
        reasons=[done],
        detail={"event": event_id, "kind": event.pgh_label},
    )
    return done


def _delete_again(model: Model, row: models.Model | None, event: Any) -> str:
    if row is None:
        raise CannotPutBack(problems.IS_GONE())
    if _snapshot(model, row) != _snapshot(model, event):
        raise CannotPutBack(problems.CHANGED_SINCE())
    if any(part._default_manager.filter(**{name: row}).exists() for part, name in PARTS.get(model, [])):
        raise CannotPutBack(problems.HAS_PARTS())
    name = str(row)
    try:
        row.delete()
    except ProtectedError as error:
        raise CannotPutBack(problems.IN_USE()) from error
    return name


def _change_back(model: Model, row: models.Model | None, event: Any, previous: Any) -> str:
    if previous is None:
        raise CannotPutBack(problems.BEFORE_UNKNOWN())
    if row is None:
        raise CannotPutBack(problems.DELETED_SINCE())
    before, after = _snapshot(model, previous), _snapshot(model, event)
    changed = [name for name in after if after[name] != before[name]]
    if any(getattr(row, name) != after[name] for name in changed):
        raise CannotPutBack(problems.CHANGED_SINCE())
    for name in changed:
        setattr(row, name, before[name])
    _validate(row)
    row.save(update_fields=changed)
    return str(row)


def _create_again(model: Model, row: models.Model | None, event: Any) -> str:
    if row is not None:
        raise CannotPutBack(problems.IS_THERE())
    if not event.can_revert:
        raise CannotPutBack(problems.NOT_KEPT())
    row = model(pk=event.pgh_obj_id, **_snapshot(model, event))
    _validate(row)
    row.save(force_insert=True)
    return str(row)


def _validate(row: models.Model) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise CannotPutBack(QUOTED(text=" ".join(error.messages))) from error


@dataclass
class Undone:
    restored: int = 0
    left: list[Problem] = field(default_factory=list)


def undo(context: uuid.UUID, *, on_progress: Callable[[int], None]) -> Undone:
    """Undo every change of one context of history, except those of rows that were changed again since. Call it in a
    transaction."""
    undone = Undone()
    for model in _UNDO_ORDER:
        _undo_in(model, context, undone)
        on_progress(undone.restored)
    return undone


def _undo_in(model: Model, context: uuid.UUID, undone: Undone) -> None:
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
    to_delete, to_change, to_create = [], [], []
    for pk, begun in first.items():
        row = rows.get(pk)
        if last[pk].pgh_label == DELETED:
            if row is None and begun.pgh_label != INSERTED:
                to_create.append(begun if begun.pgh_label == DELETED else before[pk])
        elif row is None:
            undone.left.append(problems.LEFT_DELETED(what=_named(model, last[pk])))
        elif _snapshot(model, row) != _snapshot(model, last[pk]):
            undone.left.append(problems.LEFT_CHANGED(what=_named(model, row)))
        elif begun.pgh_label == INSERTED:
            to_delete.append(row)
        elif pk in before:
            to_change.append((row, before[pk]))
    _delete_all(model, to_delete, undone)
    _change_all(model, to_change, undone)
    _create_all(model, to_create, undone)


def _states_before(table: Any, context: uuid.UUID, first: dict[int, Any], until: int) -> dict[int, Any]:
    """The last event before the context of each row that it updated: no other event lies between a context's own."""
    changed = [pk for pk, event in first.items() if event.pgh_label == UPDATED]
    events = (
        table.filter(pgh_obj_id__in=changed, pgh_id__lt=until)
        .exclude(pgh_context_id=context)
        .order_by("pgh_obj_id", "-pgh_id")
        .distinct("pgh_obj_id")
    )
    return {event.pgh_obj_id: event for event in events}


def _named(model: Model, row: Any) -> Problem:
    """A row, or the row of an event, by its name; by its number where a row that its name needs is gone."""
    if not isinstance(row, model):
        row = model(pk=row.pgh_obj_id, **_snapshot(model, row))
    try:
        name = str(row)
    except ObjectDoesNotExist:
        name = str(row.pk)
    return problems.ROW[model](name=name)


def _delete_all(model: Model, rows: list[models.Model], undone: Undone) -> None:
    keys = {row.pk for row in rows}
    with_parts = {
        pk
        for part, name in PARTS.get(model, [])
        for pk in part._default_manager.filter(**{f"{name}__in": keys}).values_list(f"{name}_id", flat=True)
    }
    undone.left += [problems.LEFT_WITH_PARTS(what=_named(model, row)) for row in rows if row.pk in with_parts]
    model._default_manager.filter(pk__in=keys - with_parts).delete()
    undone.restored += len(keys - with_parts)


def _change_all(model: Model, pairs: list[tuple[models.Model, Any]], undone: Undone) -> None:
    changed: list[models.Model] = []
    fields: set[str] = set()
    without_owner = _without_owner(model, [event for _row, event in pairs])
    for row, event in pairs:
        if event.pgh_id in without_owner:
            undone.left.append(problems.LEFT_WITHOUT_OWNER(what=_named(model, row)))
            continue
        for name, value in _snapshot(model, event).items():
            if getattr(row, name) != value:
                setattr(row, name, value)
                fields.add(name)
        changed.append(row)
    if fields:
        model._default_manager.bulk_update(changed, fields, batch_size=500)
    undone.restored += len(changed)


def _create_all(model: Model, events: list[Any], undone: Undone) -> None:
    without_owner = _without_owner(model, events)
    undone.left += [
        problems.STAYS_DELETED(what=_named(model, event)) for event in events if event.pgh_id in without_owner
    ]
    kept = [event for event in events if event.pgh_id not in without_owner]
    rows = [model(pk=event.pgh_obj_id, **_snapshot(model, event)) for event in kept]
    # A level or a door that was given again meanwhile exists already.
    model._default_manager.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    undone.restored += len(rows)


def _without_owner(model: Model, events: list[Any]) -> set[int]:
    """The events (primary keys) with a foreign key to a row that does not exist any more."""
    orphaned: set[int] = set()
    for name, related in _foreign_keys(model):
        keys = {getattr(event, f"{name}_id") for event in events}
        existing = set(related._default_manager.filter(pk__in=keys).values_list("pk", flat=True))
        orphaned |= {event.pgh_id for event in events if getattr(event, f"{name}_id") not in existing}
    return orphaned
