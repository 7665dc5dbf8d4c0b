"""One table of what staff can do at a controller, a resource, a door, a callback and an unmanaged card.

An action is a button with an address of its own, a bulk action of the admin, or both. Whoever runs it needs its
permission; its service writes its audit event. Slow calls that only read are in doorsync.pages.device_calls.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accessmap.models import Controller, Door, Resource
from doorsync.bookings import approvals as booking_approvals
from doorsync.controllers import approvals, unlock
from doorsync.models import Callback, ControllerSync, ResourceSync, UnmanagedCard
from portal.core.admin.pages import render_staff_page, staff_page

UNLOCKED_MILLISECONDS = 5000
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Order:
    """Who runs an action and why. `key`: this one time, where it must not happen twice."""

    actor: str
    reason: str = ""
    key: str = ""


# Returns how many rows it changed, or whether it changed any; None where nobody knows.
Service = Callable[[QuerySet[Any], Order], int | bool | None]


@dataclass(frozen=True, slots=True)
class Button:
    """An address below the admin's, for one row of `target`; its admin page is the way back.

    `key`: the field of the service's rows that holds the target. Messages may name it: %(object)s.
    """

    address: str
    target: type[Model]
    key: str
    done: str | Promise
    nothing: str | Promise
    nothing_level: int = messages.WARNING
    unknown: str | Promise = ""
    needs_reason: str | Promise = ""  # what to say where the reason is missing; "" where none is asked for
    confirm_title: str | Promise = ""
    confirm_template: str = ""  # a page that asks before; each opening of it runs the action once at most
    done_already: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """An action on chosen rows of a changelist. `done` counts them: %(n)d."""

    title: str | Promise
    done: str | Promise
    level: int = messages.SUCCESS


@dataclass(frozen=True, slots=True)
class StaffAction:
    """Something that staff can do. `rows`: the model that the service changes; `event`: what it audits."""

    name: str
    permission: str
    event: str
    rows: type[Model]
    service: Service
    button: Button | None = None
    bulk: Bulk | None = None


# The services, each with its rows and its order. -----------------------------------------------------------------


def _reconcile(rows: QuerySet[ControllerSync], order: Order) -> int:
    return approvals.reconcile_now(rows, actor=order.actor)


def _fetch(rows: QuerySet[ResourceSync], order: Order) -> int:
    return booking_approvals.fetch_now(rows, actor=order.actor)


def _suspend(rows: QuerySet[Controller], order: Order) -> bool:
    approvals.enable(rows.get(), enabled=False, reason=order.reason, actor=order.actor)
    return True


def _resume(rows: QuerySet[Controller], order: Order) -> bool:
    approvals.enable(rows.get(), enabled=True, reason=order.reason, actor=order.actor)
    return True


def _approve(rows: QuerySet[ControllerSync], order: Order) -> int:
    return approvals.approve(rows, actor=order.actor)


def _drop(rows: QuerySet[Controller], order: Order) -> bool:
    return approvals.drop(rows.get(), reason=order.reason, actor=order.actor)


def _reconsider(rows: QuerySet[ControllerSync], order: Order) -> int:
    return sum(approvals.reconsider(row.controller, actor=order.actor) for row in rows.select_related("controller"))


def _forget(rows: QuerySet[ControllerSync], order: Order) -> int:
    return approvals.forget_devices(rows, actor=order.actor)


def _adopt(rows: QuerySet[UnmanagedCard], order: Order) -> int:
    return approvals.adopt(rows, actor=order.actor)


def _accept(rows: QuerySet[ResourceSync], order: Order) -> int:
    return booking_approvals.accept(rows, actor=order.actor)


def _reprocess(rows: QuerySet[Callback], order: Order) -> bool:
    booking_approvals.reprocess(rows.get(), actor=order.actor)
    return True


def _unlock(rows: QuerySet[Door], order: Order) -> bool | None:
    return unlock.open_for_a_moment(
        rows.select_related("controller__site").get(),
        milliseconds=UNLOCKED_MILLISECONDS,
        key=order.key,
        actor=order.actor,
        reason=order.reason,
    )


# The table. ------------------------------------------------------------------------------------------------------

_NO_STATE_YET = _("Nothing was started: the worker has not seen %(object)s yet. See on the home page whether it runs.")
_DECIDED_ALREADY = _("No plan is pending approval any more: somebody else decided, or it changed.")

SYNC_CONTROLLER = StaffAction(
    name="sync-controller",
    permission="doorsync.change_controllersync",
    event="work.requested",
    rows=ControllerSync,
    service=_reconcile,
    button=Button(
        address="controllers/<int:pk>/sync/",
        target=Controller,
        key="controller",
        done=_("%(object)s is reconciled within seconds."),
        nothing=_NO_STATE_YET,
    ),
    bulk=Bulk(
        title=_("Reconcile now"),
        done=ngettext_lazy(
            "%(n)d controller is reconciled within seconds.", "%(n)d controllers are reconciled within seconds.", "n"
        ),
    ),
)
SUSPEND_CONTROLLER = StaffAction(
    name="suspend-controller",
    permission="doorsync.change_controllersync",
    event="controller.suspend",
    rows=Controller,
    service=_suspend,
    button=Button(
        address="controllers/<int:pk>/suspend/",
        target=Controller,
        key="pk",
        done=_("%(object)s is suspended. Cards in it stay there and keep opening its doors until it is resumed."),
        nothing="",
        needs_reason=_("Give a reason for the suspension; the log keeps it. Nothing was changed."),
    ),
)
RESUME_CONTROLLER = StaffAction(
    name="resume-controller",
    permission="doorsync.change_controllersync",
    event="controller.resume",
    rows=Controller,
    service=_resume,
    button=Button(
        address="controllers/<int:pk>/resume/",
        target=Controller,
        key="pk",
        done=_("%(object)s is resumed, and reconciled within seconds."),
        nothing="",
    ),
)
APPROVE_PLAN = StaffAction(
    name="approve-plan",
    permission="doorsync.approve_controllersync",
    event="plan.approve",
    rows=ControllerSync,
    service=_approve,
    button=Button(
        address="controllers/<int:pk>/approve/",
        target=Controller,
        key="controller",
        done=_("The plan is approved, and carried out within seconds."),
        nothing=_DECIDED_ALREADY,
    ),
    bulk=Bulk(
        title=_("Approve the pending plan"),
        done=ngettext_lazy("%(n)d plan approved.", "%(n)d plans approved.", "n"),
    ),
)
DROP_PLAN = StaffAction(
    name="drop-plan",
    permission="doorsync.approve_controllersync",
    event="plan.drop",
    rows=Controller,
    service=_drop,
    button=Button(
        address="controllers/<int:pk>/drop/",
        target=Controller,
        key="pk",
        done=_(
            "The plan is dropped: the cards keep their doors until their bookings would have ended. Permissions "
            "without an end stay pending approval."
        ),
        nothing=_DECIDED_ALREADY,
        needs_reason=_("Give a reason for dropping the plan; the log keeps it. Nothing was changed."),
    ),
)
RECONSIDER_PLAN = StaffAction(
    name="reconsider-plan",
    permission="doorsync.approve_controllersync",
    event="plan.reconsider",
    rows=ControllerSync,
    service=_reconsider,
    button=Button(
        address="controllers/<int:pk>/reconsider/",
        target=Controller,
        key="controller",
        done=_("A new plan is made within seconds. If it takes much away, it is pending approval."),
        nothing=_("No dropped plan is left: its permissions have ended, or the bookings give them again."),
    ),
)
FORGET_CONTROLLER = StaffAction(
    name="forget-controller",
    permission="accessmap.change_controller",
    event="controller.forget",
    rows=ControllerSync,
    service=_forget,
    bulk=Bulk(
        title=_("The device was replaced: forget what it held"),
        done=ngettext_lazy(
            "%(n)d controller forgotten. If the old device is still in place, it keeps admitting the cards in it.",
            "%(n)d controllers forgotten. Old devices that are still in place keep admitting the cards in them.",
            "n",
        ),
        level=messages.WARNING,
    ),
)
ADOPT_CARDS = StaffAction(
    name="adopt-cards",
    permission="doorsync.approve_unmanagedcard",
    event="card.adopt",
    rows=UnmanagedCard,
    service=_adopt,
    bulk=Bulk(
        title=_("Adopt: these cards follow the bookings from now on"),
        done=ngettext_lazy(
            "%(n)d card is managed by the portal from now on. If nothing admits it, it is removed.",
            "%(n)d cards are managed by the portal from now on. Those that nothing admits are removed.",
            "n",
        ),
    ),
)
FETCH_RESOURCE = StaffAction(
    name="fetch-resource",
    permission="doorsync.change_resourcesync",
    event="work.requested",
    rows=ResourceSync,
    service=_fetch,
    button=Button(
        address="resources/<int:pk>/fetch/",
        target=Resource,
        key="resource",
        done=_("The bookings of %(object)s are fetched within seconds."),
        nothing=_NO_STATE_YET,
    ),
    bulk=Bulk(
        title=_("Fetch the bookings now"),
        done=ngettext_lazy(
            "The bookings of %(n)d resource are fetched within seconds.",
            "The bookings of %(n)d resources are fetched within seconds.",
            "n",
        ),
    ),
)
ACCEPT_BOOKINGS = StaffAction(
    name="accept-bookings",
    permission="doorsync.approve_resourcesync",
    event="bookings.approve",
    rows=ResourceSync,
    service=_accept,
    bulk=Bulk(
        title=_("Accept this booking list"),
        done=ngettext_lazy("%(n)d booking list accepted.", "%(n)d booking lists accepted.", "n"),
    ),
)
REPROCESS_CALLBACK = StaffAction(
    name="reprocess-callback",
    permission="doorsync.change_resourcesync",
    event="callback.reprocess",
    rows=Callback,
    service=_reprocess,
    button=Button(
        address="callbacks/<int:pk>/reprocess/",
        target=Callback,
        key="pk",
        done=_("What the callback names is fetched again within seconds."),
        nothing="",
    ),
)
UNLOCK_DOOR = StaffAction(
    name="unlock-door",
    permission="accessmap.unlock_door",
    event="door.pulse",
    rows=Door,
    service=_unlock,
    button=Button(
        address="doors/<int:pk>/unlock/",
        target=Door,
        key="pk",
        done=_("%(object)s is unlocked for a moment."),
        nothing=_("%(object)s was not unlocked. The audit log has the reason."),
        nothing_level=messages.ERROR,
        unknown=_("It is not known whether %(object)s was unlocked: the controller did not answer. Look at the door."),
        needs_reason=_("Give a reason; the log keeps it. The door was not unlocked."),
        confirm_title=_("Unlock %(object)s for a moment"),
        confirm_template="doorsync/unlock.html",
        done_already=_("The door was unlocked already. Open the page again to unlock it once more."),
    ),
)

ACTIONS = [
    SYNC_CONTROLLER,
    SUSPEND_CONTROLLER,
    RESUME_CONTROLLER,
    APPROVE_PLAN,
    DROP_PLAN,
    RECONSIDER_PLAN,
    FORGET_CONTROLLER,
    ADOPT_CARDS,
    FETCH_RESOURCE,
    ACCEPT_BOOKINGS,
    REPROCESS_CALLBACK,
    UNLOCK_DOOR,
]


# The one view. ---------------------------------------------------------------------------------------------------


def urlpatterns() -> list[URLPattern]:
    """The address of each button, by the action's name."""
    return [
        path(action.button.address, _view(action, action.button), name=action.name)
        for action in ACTIONS
        if action.button is not None
    ]


def _view(action: StaffAction, button: Button) -> Callable[..., HttpResponse]:
    methods = ["GET", "HEAD", "POST"] if button.confirm_template else ["POST"]

    @staff_page(action.permission, methods=methods)
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        target = get_object_or_404(button.target, pk=pk)
        if request.method == "POST":
            return _run(request, action, button, target)
        return _confirmation(request, button, target)

    return view


def _run(request: HttpRequest, action: StaffAction, button: Button, target: Model) -> HttpResponse:
    meta = target._meta
    back = HttpResponseRedirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk]))
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    if button.needs_reason and not reason:
        if button.confirm_template:
            return _confirmation(request, button, target, problem=str(button.needs_reason))
        messages.error(request, str(button.needs_reason))
        return back
    key = request.POST.get("key", "")[:36] if button.confirm_template else ""
    if button.confirm_template and not (_is_uuid(key) and unlock.is_first(key)):
        messages.warning(request, str(button.done_already))
        return back
    rows = action.rows._default_manager.filter(**{button.key: target.pk})
    result = action.service(rows, Order(request.user.get_username(), reason, key))
    level, text = messages.SUCCESS, button.done
    if result is None:
        level, text = messages.WARNING, button.unknown
    elif not result:
        level, text = button.nothing_level, button.nothing
    messages.add_message(request, level, text % {"object": target})
    return back


def _confirmation(request: HttpRequest, button: Button, target: Model, problem: str = "") -> HttpResponse:
    context = {"target": target, "key": str(uuid.uuid4()), "problem": problem, "max_reason": MAX_REASON}
    title = str(button.confirm_title % {"object": target})
    return render_staff_page(request, button.confirm_template, title, context)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
