"""The trigger that records every write to a model's table, by whatever way it comes: admin, REST, import or SQL.

It runs in the transaction of the write. An entry's `detail` is {field: [before, after]} of the fields that differ;
before is null for a new row, after for a deleted one. A foreign key is shown by the label of what it points to.
"""

from typing import Any

import pgtrigger
from django.apps import apps
from django.db import models

from portal.audit.actor import ACTOR_SQL
from portal.audit.events import ADDED, CHANGED, DELETED, AuditedModel, all_models, model_of


class Audited(pgtrigger.Trigger):
    """Inserts an entry for each row that is added, changed or deleted. A write that changes no value leaves none."""

    name = "audited"
    level = pgtrigger.Row
    when = pgtrigger.After
    operation = pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete
    declare = [("detail", "JSONB"), ("kept", "RECORD")]

    def __init__(self, audited: AuditedModel) -> None:
        self.audited = audited
        super().__init__()

    def get_func(self, model: Any) -> str:
        """The body of the trigger's function."""
        audited = self.audited
        changes = ",\n".join(_change(field, audited) for field in _recorded(model, audited))
        key = _of_row(audited.key, "kept") if audited.key else f'kept."{_pk(model)}"::text'
        return f"""
            detail := jsonb_strip_nulls(jsonb_build_object({changes}));
            IF TG_OP = 'UPDATE' AND detail = '{{}}' THEN
                RETURN NULL;
            ELSIF TG_OP = 'DELETE' THEN
                kept := OLD;
            ELSE
                kept := NEW;
            END IF;
            INSERT INTO audit_entry
                (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)
            VALUES (
                clock_timestamp(), left({ACTOR_SQL}, 200),
                '{audited.code}.' || CASE TG_OP
                    WHEN 'INSERT' THEN '{ADDED}' WHEN 'UPDATE' THEN '{CHANGED}' ELSE '{DELETED}' END,
                '{audited.model}', {key}, left(COALESCE({_of_row(audited.label, "kept")}, ''), 300),
                'done', '[]', detail
            );
            RETURN NULL;
        """  # noqa: S608 (names of models and columns)


def never_emptied(message: str) -> pgtrigger.Trigger:
    """A trigger that refuses TRUNCATE with a message: no trigger sees the rows that it removes."""
    return pgtrigger.Trigger(
        name="never_emptied",
        operation=pgtrigger.Truncate,
        when=pgtrigger.Before,
        level=pgtrigger.Statement,
        func=f"RAISE EXCEPTION '{message}';",
    )


def register() -> None:
    """Give every audited model its triggers. Migrations find them there like the model's own."""
    for audited in all_models().values():
        model: Any = apps.get_model(audited.proxy)
        Audited(audited).register(model)
        never_emptied("The audit log would not know which rows are gone: use DELETE.").register(model)


def _recorded(model: type[models.Model], audited: AuditedModel) -> list[Any]:
    return [f for f in model._meta.concrete_fields if not f.primary_key and f.name not in audited.ignored]


def _change(field: Any, audited: AuditedModel) -> str:
    """SQL for one field's name and its [before, after], or NULL if it stays as it is."""
    column = f'"{field.column}"'
    if field.name in audited.secret:
        shown = "to_jsonb('changed'::text)"
    elif field.name in audited.encrypted:
        shown = "to_jsonb('written'::text)"
    else:
        before, after = (_shown(field, f"{row}.{column}", audited) for row in ("OLD", "NEW"))
        shown = f"jsonb_build_array({before}, {after})"
    return f"'{field.name}', CASE WHEN OLD.{column} IS DISTINCT FROM NEW.{column} THEN {shown} END"


def _shown(field: Any, value: str, audited: AuditedModel) -> str:
    if field.name in audited.masked:
        return masked_sql(value)
    target = field.remote_field and model_of(field.related_model)
    if target is None:
        return value
    table, pk = field.related_model._meta.db_table, _pk(field.related_model)
    label = _of_row(target.label, "target")
    return f'(SELECT {label} FROM "{table}" target WHERE target."{pk}" = {value})'  # noqa: S608 (names of ours)


def masked_sql(value: str) -> str:
    """SQL for the last four characters of a card number, like accessmap.models.masked."""
    return f"CASE WHEN length({value}) > 4 THEN '••••' || right({value}, 4) WHEN {value} IS NOT NULL THEN '••••' END"


def _of_row(sql: str, row: str) -> str:
    return sql.replace("{row}", row)


def _pk(model: type[models.Model]) -> str:
    return str(model._meta.pk.column)
