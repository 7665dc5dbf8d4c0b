"""What the home page shows above the admin's own list."""

from typing import Any

from django import template

from doorsync.setup import steps
from doorsync.status import dashboard
from portal.core import clock

register = template.Library()


@register.inclusion_tag("doorsync/all_is_well.html", takes_context=True)
def all_is_well(context: dict[str, Any]) -> dict[str, Any]:
    """What staff should see to just now, and when things were last seen to work."""
    now = clock.now()
    installs = context["user"].has_perm("accessmap.change_controller")
    return {
        "notices": dashboard.notices(now, reads_log=context["user"].has_perm("audit.view_seal")),
        "facts": dashboard.facts(),
        "setup_undone": steps.undone(now) if installs else 0,
    }
