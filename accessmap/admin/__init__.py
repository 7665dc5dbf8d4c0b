"""The access map in the admin. doorsync registers cards and controllers: it knows what the controllers hold."""

from accessmap.admin import cardholders, imports, places, policies, resources

__all__ = ["cardholders", "imports", "places", "policies", "resources"]
