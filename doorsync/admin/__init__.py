"""Admin pages of doorsync: what the portal did and what controllers hold. The map itself is in accessmap.admin."""

from doorsync.admin import cards, controllers, notices, state

__all__ = ["cards", "controllers", "notices", "state"]
