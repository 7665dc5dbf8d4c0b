"""The audit events of the map, of its imports and of its REST."""

from django.utils.translation import gettext_lazy as _

from portal.audit.events import audit_event, audited_model
from portal.audit.triggers import masked_sql

_CARDHOLDER = "CASE WHEN {row}.email <> '' THEN {row}.name || ' <' || {row}.email || '>' ELSE {row}.name END"


def _name(table: str, column: str, name: str = "name") -> str:
    """SQL for the name of the row that a foreign key points to."""
    return f"(SELECT named.{name} FROM {table} named WHERE named.id = {{row}}.{column})"  # noqa: S608 (names of ours)


audited_model("accessmap.Site", label="{row}.name")
audited_model("accessmap.AccessLevel", label="{row}.name")
audited_model("accessmap.Cardholder", label=_CARDHOLDER, personal=["email", "name"])
audited_model(
    "accessmap.Membership",
    label=f"{_name('accessmap_cardholder', 'cardholder_id')} || ': ' || "
    f"{_name('accessmap_accesslevel', 'access_level_id')}",
    personal=["cardholder"],
)
audited_model(
    "accessmap.Card",
    label=f"{masked_sql('{row}.number')} || "
    f"COALESCE(' (' || {_name('accessmap_cardholder', 'cardholder_id')} || ')', '')",
    personal=["cardholder", "number"],
    masked=["number"],
)
audited_model(
    "accessmap.Controller",
    label="{row}.name",
    secret=["options"],
)
audited_model(
    "accessmap.Door",
    label=f"COALESCE({_name('accessmap_controller', 'controller_id')} || ': ', '') || {{row}}.name",
)
audited_model(
    "accessmap.AccessPolicy",
    label="{row}.name",
)
for _model in ("PolicyAdmits", "PolicyAlways"):
    audited_model(
        f"accessmap.{_model}",
        label=f"{_name('accessmap_accesspolicy', 'policy_id')} || ': ' || "
        f"{_name('accessmap_accesslevel', 'access_level_id')}",
    )
audited_model("accessmap.Resource", label="{row}.name")
audited_model(
    "accessmap.ResourceDoor",
    label=f"{_name('accessmap_resource', 'resource_id')} || ': ' || {_name('accessmap_door', 'door_id')}",
)
audited_model("accessmap.MapImport", label="{row}.file_name", only=["kind", "file_name", "actor", "state"])
audited_model(
    "api.ApiKey",
    label="{row}.name",
    key="{row}.prefix",
)

CARDHOLDER_CREATED = audit_event(
    "cardholder.created",
    _("%(actor)s added the cardholder %(object)s by REST."),
    "key",
    "changed",
    "access_levels",
    personal=["cards"],
)
CARDHOLDER_CHANGED = audit_event(
    "cardholder.changed",
    _("%(actor)s changed the cardholder %(object)s by REST."),
    "key",
    "changed",
    "access_levels",
    personal=["cards"],
)
CARDHOLDER_DELETED = audit_event(
    "cardholder.deleted", _("%(actor)s deleted the cardholder %(object)s by REST."), "key", personal=["cards"]
)
CARD_LOST = audit_event(
    "card.lost", _("%(actor)s reported the card %(object)s lost."), "was", "now", personal=["cardholder"]
)
CARD_STATUS = audit_event(
    "card.status", _("%(actor)s gave the card %(object)s another status."), "was", "now", personal=["cardholder"]
)
CARD_NUMBER_SHOWN = audit_event(
    "card.number_shown", _("%(actor)s had the whole number of the card %(object)s shown."), personal=["cardholder"]
)
CARD_GIVEN = audit_event("card.given", _("%(actor)s gave a card: %(object)s."))
DOOR_GIVEN = audit_event("door.given", _("%(actor)s gave the resource %(object)s a door: %(door)s."), "door")
HISTORY_PUT_BACK = audit_event(
    "history.put_back", _("%(actor)s put back an earlier state of %(object)s."), "event", "kind"
)
MAP_EXPORT = audit_event(
    "map.export", _("%(actor)s exported a sheet of %(object)s."), "rows", "format", "whole_card_numbers"
)
MAP_IMPORT = audit_event(
    "map.import", _("%(actor)s imported the sheet %(object)s."), "rows_total", "created", "changed", "unchanged"
)
MAP_IMPORT_UNDONE = audit_event(
    "map.import_undone", _("%(actor)s undid the import of the sheet %(object)s."), "restored", "left"
)
MAP_LOADED = audit_event("map.loaded", _("%(actor)s loaded a building file at the site %(object)s."))
API_KEY_MADE = audit_event("api_key.made", _("%(actor)s made the API key %(object)s."), "key", "scopes")
API_KEY_REVOKED = audit_event("api_key.revoked", _("%(actor)s revoked the API key %(object)s."), "key")
