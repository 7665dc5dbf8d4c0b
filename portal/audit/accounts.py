"""Django's own tables of accounts, as proxies: so that this app's migrations can hold their triggers."""

from django.contrib.auth.models import Group, User
from django.utils.translation import gettext_lazy as _


class AuditedUser(User):
    class Meta:
        proxy = True
        verbose_name = _("user")
        default_permissions = ()


class AuditedGroup(Group):
    class Meta:
        proxy = True
        verbose_name = _("role")
        default_permissions = ()


class AuditedUserGroup(User.groups.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        verbose_name = _("role of the user")
        default_permissions = ()


class AuditedUserPermission(User.user_permissions.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        verbose_name = _("permission of the user")
        default_permissions = ()


class AuditedGroupPermission(Group.permissions.through):  # type: ignore[name-defined,misc]
    class Meta:
        proxy = True
        verbose_name = _("permission of the role")
        default_permissions = ()
