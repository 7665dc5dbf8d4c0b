"""What the home page shows above the admin's own list."""

from typing import Any

from django import template

from doorsync import overview
from portal import clock

register = template.Library()


@register.inclusion_tag("doorsync/all_is_well.html", takes_context=True)
def all_is_well(context: dict[str, Any]) -> dict[str, Any]:
    """What staff should see to just now, and when things were last seen to work."""
    return {"notices": overview.notices(clock.now()), "facts": overview.facts(), "perms": context["perms"]}
