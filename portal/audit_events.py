"""The audit events of accounts and roles."""

from django.utils.translation import gettext_lazy as _

from portal.audit.events import audit_event, audited_model

_USER = "(SELECT named.username FROM auth_user named WHERE named.id = {row}.user_id)"
_GROUP = "(SELECT named.name FROM auth_group named WHERE named.id = {row}.group_id)"
_PERMISSION = "(SELECT named.codename FROM auth_permission named WHERE named.id = {row}.permission_id)"

audited_model(
    "auth.User",
    proxy="audit.AuditedUser",
    label="{row}.username",
    personal=["username", "first_name", "last_name", "email"],
    ignored=["last_login"],
)
audited_model("auth.Group", proxy="audit.AuditedGroup", label="{row}.name")
audited_model(
    "auth.User_groups",
    proxy="audit.AuditedUserGroup",
    label=f"{_USER} || ': ' || {_GROUP}",
)
audited_model(
    "auth.User_user_permissions",
    proxy="audit.AuditedUserPermission",
    label=f"{_USER} || ': ' || {_PERMISSION}",
)
audited_model(
    "auth.Group_permissions",
    proxy="audit.AuditedGroupPermission",
    label=f"{_GROUP} || ': ' || {_PERMISSION}",
)

ROLE_CHANGED = audit_event("role.changed", _("%(actor)s changed what the role %(object)s may do."), "added", "removed")
