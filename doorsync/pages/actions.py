"""What staff can do at a controller, a resource, a door and a callback, each behind a button."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accessmap.models import Controller, Door, Resource
from doorsync.bookings import approvals as booking_approvals
from doorsync.bookings import resources
from doorsync.controllers import approvals, unlock
from doorsync.controllers.preview import preview as preview_of
from doorsync.controllers.preview import rows_of
from doorsync.drivers.base import DriverError
from doorsync.models import Callback, ControllerSync, ResourceSync
from portal.core import clock
from portal.offision.errors import OffisionError, OperationAbsent

UNLOCKED_MILLISECONDS = 5000
MAX_REASON = 200


def _may(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _back(controller: Controller) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:accessmap_controller_change", args=[controller.pk]))


@never_cache
@staff_member_required
@require_GET
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """What would change at a controller if it were reconciled now. Reads it, and writes nothing."""
    _may(request, "doorsync.view_controllersync")
    controller = get_object_or_404(Controller.objects.select_related("site"), pk=pk)
    context: dict[str, Any] = {
        **admin_site.each_context(request),
        "title": _("What would change at %(controller)s") % {"controller": controller},
        "controller": controller,
    }
    try:
        _info, plan = preview_of(controller, clock.now())
    except DriverError as error:
        context["problem"] = str(error)
    else:
        context["in_step"] = plan.in_step
        context["rows"] = [(kind, row) for kind, rows in rows_of(controller, plan).items() for row in rows]
    return render(request, "doorsync/preview.html", context)


@staff_member_required
@require_POST
def sync_controller(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a controller reconciled now."""
    _may(request, "doorsync.change_controllersync")
    controller = get_object_or_404(Controller, pk=pk)
    approvals.reconcile_now(ControllerSync.objects.filter(controller=controller), actor=request.user.get_username())
    messages.success(request, _("%(controller)s is reconciled within seconds.") % {"controller": controller})
    return _back(controller)


@staff_member_required
@require_POST
def suspend_controller(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave a controller alone, as it is, until it is resumed; with a reason."""
    return _enable(request, pk, enabled=False)


@staff_member_required
@require_POST
def resume_controller(request: HttpRequest, pk: int) -> HttpResponse:
    """Speak to a controller again."""
    return _enable(request, pk, enabled=True)


def _enable(request: HttpRequest, pk: int, *, enabled: bool) -> HttpResponse:
    _may(request, "doorsync.change_controllersync")
    controller = get_object_or_404(Controller, pk=pk)
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    if not enabled and not reason:
        messages.error(request, _("Say why it is suspended; the log keeps it. Nothing was changed."))
        return _back(controller)
    approvals.enable(controller, enabled=enabled, reason=reason, actor=request.user.get_username())
    said = (
        _("%(controller)s is spoken to again.")
        if enabled
        else _("%(controller)s is left as it is: cards in it stay, and go on opening, until it is resumed.")
    )
    messages.success(request, said % {"controller": controller})
    return _back(controller)


@staff_member_required
@require_POST
def approve_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the plan that is held for a controller go ahead."""
    _may(request, "doorsync.approve_controllersync")
    controller = get_object_or_404(Controller, pk=pk)
    held = approvals.approve(ControllerSync.objects.filter(controller=controller), actor=request.user.get_username())
    if held:
        messages.success(request, _("The plan goes ahead within seconds."))
    else:
        messages.warning(request, _("No plan is held any more: somebody else decided, or it changed."))
    return _back(controller)


@staff_member_required
@require_POST
def drop_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop the plan that is held for a controller: the cards keep their doors until the ends that were promised."""
    _may(request, "doorsync.approve_controllersync")
    controller = get_object_or_404(Controller, pk=pk)
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    if not reason:
        messages.error(request, _("Say why the plan is dropped; the log keeps it. Nothing was changed."))
    elif approvals.drop(controller, reason=reason, actor=request.user.get_username()):
        messages.success(
            request,
            _(
                "The plan is dropped: the cards keep their doors until their bookings would have ended. What has no "
                "end goes on waiting for an approval."
            ),
        )
    else:
        messages.warning(request, _("No plan is held any more: somebody else decided, or it changed."))
    return _back(controller)


@staff_member_required
@require_POST
def take_up_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Have what was dropped for a controller decided anew."""
    _may(request, "doorsync.approve_controllersync")
    controller = get_object_or_404(Controller, pk=pk)
    if approvals.reconsider(controller, actor=request.user.get_username()):
        messages.success(request, _("It is decided anew within seconds: where much is taken away, the plan is held."))
    else:
        messages.warning(request, _("Nothing is kept any more: it has ended, or the bookings give it again."))
    return _back(controller)


@staff_member_required
@require_POST
def fetch_resource(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a resource's bookings fetched now."""
    _may(request, "doorsync.change_resourcesync")
    resource = get_object_or_404(Resource, pk=pk)
    booking_approvals.fetch_now(ResourceSync.objects.filter(resource=resource), actor=request.user.get_username())
    messages.success(request, _("The bookings of %(resource)s are fetched within seconds.") % {"resource": resource})
    return HttpResponseRedirect(reverse("admin:accessmap_resource_change", args=[pk]))


@staff_member_required
@require_POST
def reprocess_callback(request: HttpRequest, pk: int) -> HttpResponse:
    """Look once more at what a callback points at, as if it had come just now."""
    _may(request, "doorsync.change_resourcesync")
    callback = get_object_or_404(Callback, pk=pk)
    booking_approvals.reprocess(callback, actor=request.user.get_username())
    messages.success(request, _("It is looked at again within seconds."))
    return HttpResponseRedirect(reverse("admin:doorsync_callback_change", args=[pk]))


@never_cache
@staff_member_required
@require_http_methods(["GET", "POST"])
def unlock_door(request: HttpRequest, pk: int) -> HttpResponse:
    """Unlock a door for a moment: asked for a reason, once for each time that the page was opened."""
    _may(request, "accessmap.unlock_door")
    door = get_object_or_404(Door.objects.select_related("controller__site"), pk=pk)
    back = HttpResponseRedirect(reverse("admin:accessmap_door_change", args=[pk]))
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    if request.method == "POST" and reason:
        key = request.POST.get("key", "")[:36]
        if not _is_key(key) or not unlock.is_first(key):
            messages.warning(request, _("The door was unlocked already. Open the page again for another time."))
            return back
        opened = unlock.open_for_a_moment(
            door,
            milliseconds=UNLOCKED_MILLISECONDS,
            key=key,
            actor=request.user.get_username(),
            reason=reason,
        )
        if opened:
            messages.success(request, _("%(door)s is unlocked for a moment.") % {"door": door})
        elif opened is None:
            messages.warning(
                request,
                _("Nobody knows whether %(door)s was unlocked: the controller did not answer. Look at the door.")
                % {"door": door},
            )
        else:
            messages.error(request, _("%(door)s was not unlocked; the log says why.") % {"door": door})
        return back
    context = {
        **admin_site.each_context(request),
        "title": _("Unlock %(door)s for a moment") % {"door": door},
        "door": door,
        "key": str(uuid.uuid4()),
        "missing": request.method == "POST",
        "max_reason": MAX_REASON,
    }
    return render(request, "doorsync/unlock.html", context)


def _is_key(said: str) -> bool:
    try:
        return str(uuid.UUID(said)) == said
    except ValueError:
        return False


@staff_member_required
@require_POST
def fetch_resources(request: HttpRequest) -> HttpResponse:
    """Fetch Offision's list of resources, so that those that the map does not know can be given doors."""
    _may(request, "doorsync.change_resourcesync")
    try:
        listed, unknown = resources.fetch_resources()
    except OperationAbsent:
        messages.warning(
            request,
            _(
                "The contract has no list of resources. Enter them by hand, or import a sheet with their ids in "
                "Offision."
            ),
        )
    except OffisionError as error:
        messages.error(request, error.summary)
    else:
        messages.success(
            request,
            _("Offision lists %(listed)d resources; the map does not know %(unknown)d of them.")
            % {"listed": listed, "unknown": unknown},
        )
    return HttpResponseRedirect(reverse("coverage") + "#rooms")
