"""Staff actions as bulk actions of a changelist."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest

from doorsync.pages.actions import Order, StaffAction


def bulk_action(action: StaffAction) -> Callable[[admin.ModelAdmin, HttpRequest, QuerySet[Any]], None]:
    """A function for ModelAdmin.actions that runs a staff action. Raises PermissionDenied without its permission."""
    bulk = action.bulk
    assert bulk is not None

    def run(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if not request.user.has_perm(action.permission):
            raise PermissionDenied
        count = action.service(queryset, Order(request.user.get_username()))
        model_admin.message_user(request, bulk.done % {"n": count}, bulk.level if count else messages.WARNING)

    run.__name__ = action.name.replace("-", "_")
    return admin.action(description=str(bulk.title))(run)


class WithStaffActions(admin.ModelAdmin):
    """Offers the bulk actions that the user may run."""

    staff_actions: ClassVar[Sequence[StaffAction]] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        for action in self.staff_actions:
            if action.bulk is not None and request.user.has_perm(action.permission):
                function = bulk_action(action)
                actions[function.__name__] = (function, function.__name__, action.bulk.title)
        return actions
