"""Problems of callbacks and of fetched bookings."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

NOT_JSON = problem("callback.not_json", _("The body is not JSON (%(error)s)."))
NO_RESOURCE = problem("callback.no_resource", _("The body names no resource where the contract expects one."))
BAD_RESOURCE_ID = problem("callback.bad_resource_id", _("The body names a resource by something that can't be an id."))

NOT_FETCHED = problem(
    "bookings.not_fetched",
    _("The bookings of %(resource)s could not be fetched: %(why)s Nobody's access was taken away."),
)
MANY_LEFT_OUT = problem(
    "bookings.many_left_out",
    _(
        "Offision's list for %(resource)s leaves out %(lost)d of %(coming)d coming bookings at once. Nobody's access "
        "was taken away. If the list is right, accept it; if not, check Offision."
    ),
)
VANISHED_EVERYWHERE = problem(
    "bookings.vanished_everywhere",
    _(
        "Bookings vanish from many resources at once: %(lost)d of %(coming)d from %(resource)s. Nobody's access there "
        "was taken away. If its list is right, accept it; if not, check Offision."
    ),
)
ACCEPTED_BY_STAFF = problem("bookings.accepted_by_staff", _("accepted by staff"))
