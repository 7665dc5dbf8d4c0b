"""The registry of audit events: what can stand in the audit log, in which words, with which parameters.

A module named `audit_events` in each app declares the app's events:

    SUSPENDED = audit_event("controller.suspend", _("%(actor)s suspended %(object)s."))

The log keeps the code; the sentence is rendered in the reader's language when an entry is read. `audited_model`
declares a model whose every write is an event: a database trigger records it (see portal.audit.triggers).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ADDED, CHANGED, DELETED = "added", "changed", "deleted"
_DIGESTS = {"password", "hashed_key"}
_WRITES = {
    ADDED: _("%(actor)s added the %(kind)s %(object)s."),
    CHANGED: _("%(actor)s changed the %(kind)s %(object)s."),
    DELETED: _("%(actor)s deleted the %(kind)s %(object)s."),
}


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One kind of entry. `parameters` are the keys that an entry's `detail` may have, `personal` those among them that
    say something about a person. `sentence` may also use %(actor)s and %(object)s."""

    code: str
    sentence: str | Promise
    parameters: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    # The model whose writes a trigger records under this code, or its proxy, as "app_label.ModelName".
    model: str = ""

    @property
    def name(self) -> str:
        """The sentence without who and what, as a name for the event."""
        return self.tell({})

    def tell(self, values: Mapping[str, Any]) -> str:
        """The sentence in the active language, with "…" for what `values` lacks."""
        kind = {"kind": apps.get_model(self.model)._meta.verbose_name} if self.model else {}
        return str(self.sentence) % _Values({**values, **kind})


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


@dataclass(frozen=True, slots=True)
class AuditedModel:
    """A model whose rows' every write is recorded, and how.

    SQL here refers to the row as `{row}`. `label` names a row as staff know it. Of `masked` fields an entry shows the
    last four characters, of `secret` ones only that they changed, of `encrypted` ones only that they were written: the
    database can't compare them. Changes of `ignored` fields leave no entry.
    """

    model: str
    label: str
    key: str
    masked: frozenset[str]
    secret: frozenset[str]
    encrypted: frozenset[str]
    ignored: frozenset[str]
    # The proxy of a model of a library, in an app of ours whose migrations can hold the trigger.
    proxy: str

    @property
    def code(self) -> str:
        return self.model.lower()


_events: dict[str, AuditEvent] = {}
_models: dict[str, AuditedModel] = {}


def audit_event(
    code: str, sentence: str | Promise, *parameters: str, personal: Iterable[str] = (), model: str = ""
) -> AuditEvent:
    """Declare an event. `personal` parameters need not be repeated in `parameters`.

    Raises ValueError for a code that is declared already.
    """
    if code in _events:
        raise ValueError(f"The audit event {code} is declared twice.")
    _events[code] = AuditEvent(code, sentence, frozenset({*parameters, *personal}), frozenset(personal), model)
    return _events[code]


def audited_model(
    model: str,
    *,
    label: str,
    personal: Iterable[str] = (),
    masked: Iterable[str] = (),
    secret: Iterable[str] = (),
    ignored: Iterable[str] = (),
    only: Iterable[str] = (),
    key: str = "",
    proxy: str = "",
) -> AuditedModel:
    """Declare a model ("app_label.ModelName") whose every write is recorded as added, changed or deleted.

    Fields that no argument names are shown as they are; encrypted fields and digests of keys and passwords are
    recognized. `only`: all other fields are ignored. `key`: SQL for the object's id, where the primary key must not be
    shown. Raises ValueError for a field that the model lacks.
    """
    fields = {f.name: f for f in apps.get_model(proxy or model)._meta.concrete_fields if not f.primary_key}
    if unknown := {*personal, *masked, *secret, *ignored, *only} - fields.keys():
        raise ValueError(f"{model} has no {sorted(unknown)} to audit.")
    if only:
        ignored = fields.keys() - set(only)
    encrypted = {name for name, field in fields.items() if type(field).__module__ == "encrypted_fields.fields"}
    for write, sentence in _WRITES.items():
        parameters = fields.keys() - set(ignored)
        audit_event(f"{model.lower()}.{write}", sentence, *parameters, personal=personal, model=proxy or model)
    _models[model] = AuditedModel(
        model,
        label,
        key,
        masked=frozenset(masked),
        secret=frozenset(secret) | (_DIGESTS & fields.keys()),
        encrypted=frozenset(encrypted),
        ignored=frozenset(ignored),
        proxy=proxy or model,
    )
    return _models[model]


def event_of(code: str) -> AuditEvent | None:
    """The declaration of a code; None for one that an earlier or later version declares."""
    return _events.get(code)


def all_events() -> list[AuditEvent]:
    """Every event, by code."""
    return [_events[code] for code in sorted(_events)]


def all_models() -> Mapping[str, AuditedModel]:
    """Every audited model, by "app_label.ModelName"."""
    return _models


def model_of(model: type[Model]) -> AuditedModel | None:
    return _models.get(model._meta.label)


def load() -> None:
    """Import every module `audit_events` of the installed apps."""
    for config in apps.get_app_configs():
        root = Path(config.path)
        if "site-packages" not in root.parts and (root / "audit_events.py").exists():
            import_module(f"{config.name}.audit_events")
