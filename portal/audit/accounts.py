"""Django's own tables of accounts, as proxies: so that this app's migrations can hold their triggers."""

from django.contrib.auth.models import Group, User


class AuditedUser(User):
    class Meta:
        proxy = True
        default_permissions = ()


class AuditedGroup(Group):
    class Meta:
        proxy = True
        default_permissions = ()


class AuditedUserGroup(User.groups.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        default_permissions = ()


class AuditedUserPermission(User.user_permissions.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        default_permissions = ()


class AuditedGroupPermission(Group.permissions.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        default_permissions = ()
