"""Who changes the map: pghistory's context, and the audit log's actor, for requests of people."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from pghistory.middleware import HistoryMiddleware


class StaffHistoryMiddleware(HistoryMiddleware):
    """pghistory's middleware for browsers that may be signed in. Callbacks and turnstiles have no session; the context
    would cost them something with every statement."""

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(request)
        return context | ({"actor": request.user.get_username()} if request.user.is_authenticated else {})

    def __call__(self, request: HttpRequest) -> Any:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            return super().__call__(request)  # type: ignore[no-untyped-call]
        return self.get_response(request)
