"""The access map in the admin. Cards and controllers are doorsync's to show: it knows what stands at the doors."""

from accessmap.admin import cardholders, imports, places, policies, resources

__all__ = ["cardholders", "imports", "places", "policies", "resources"]
