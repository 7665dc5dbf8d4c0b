"""Accounts in the admin. Permission to make accounts does not include every other permission."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple, ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.core.admin.labels import LabelledFields

admin.site.unregister([User, Group])


class _RolesField(ModelMultipleChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return _(obj.name)


@admin.register(User)
class AccountAdmin(LabelledFields, UserAdmin):
    """Only a superuser makes superusers, touches their accounts, or gives rights beside the roles."""

    # Parts of Django's two lists with arrows have no names, and four roles fit on a page.
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["widget"] = CheckboxSelectMultiple
            kwargs["form_class"] = _RolesField
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        accounts = super().get_queryset(request)
        return accounts if request.user.is_superuser else accounts.filter(is_superuser=False)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, "is_superuser", "user_permissions"]


@admin.register(Group)
class RoleAdmin(GroupAdmin):
    """The roles, read-only: every migration makes them anew."""

    filter_horizontal = ()
    list_display = ["in_words"]

    @admin.display(description=Group._meta.get_field("name").verbose_name, ordering="name")
    def in_words(self, group: Group) -> str:
        return _(group.name)
