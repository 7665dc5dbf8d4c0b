"""Who changed the map: pages of staff only."""

from typing import Any

from django.http import HttpRequest
from pghistory.middleware import HistoryMiddleware


class StaffHistoryMiddleware(HistoryMiddleware):
    """pghistory's, for pages on which somebody is logged in. Calls of Offision's and of devices change no map, and
    would pay for it with every statement."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path.startswith("/admin/"):
            return super().__call__(request)  # type: ignore[no-untyped-call]
        return self.get_response(request)
