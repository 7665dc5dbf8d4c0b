"""Authentication, permissions and throttling of the API: keys, their scopes, and requests per minute."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework_api_key.permissions import KeyParser

from accessmap.api.models import ApiKey, Scope
from portal.core import clock

REQUESTS_A_MINUTE = 600
_MINUTE = timedelta(minutes=1)

# One statement notes the use of the key and counts it. In the database, so that all processes count together.
_COUNT = """
    INSERT INTO api_apikeyuse AS use (key_id, last_used_at, minute, requests) VALUES (%s, %s, %s, 1)
    ON CONFLICT (key_id) DO UPDATE SET
        requests = CASE WHEN use.minute = EXCLUDED.minute THEN use.requests + 1 ELSE 1 END,
        minute = EXCLUDED.minute,
        last_used_at = EXCLUDED.last_used_at
    RETURNING requests
"""


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key KEY`; the key becomes `request.auth`. A wrong, revoked or expired one gets 401."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        sent = KeyParser().get(request)
        if sent is None:
            return None
        try:
            # Other characters are in no key, and the database or the digest may refuse them.
            key = ApiKey.objects.get_from_key(sent if sent.isascii() and sent.isprintable() else "")
        except ApiKey.DoesNotExist:
            raise AuthenticationFailed(_("There is no such API key, or it has been revoked.")) from None
        assert isinstance(key, ApiKey)
        if key.expired(clock.now()):
            raise AuthenticationFailed(_("This API key has expired. An administrator can make another one."))
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return KeyParser.keyword


class HasScopes(BasePermission):
    """The key has all scopes that the view needs for this method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        needed = view.scopes.get(method)
        if needed is None:
            raise MethodNotAllowed(str(request.method))
        require(request.auth, needed)
        return True


def require(key: ApiKey, scopes: Iterable[Scope]) -> None:
    """Raises PermissionDenied with the missing scopes, unless the key has all of these."""
    missing = [scope.value for scope in scopes if not key.may(scope)]
    if missing:
        raise PermissionDenied(
            _("This API key lacks the scope %(scopes)s. An administrator can make a key that has it.")
            % {"scopes": ", ".join(missing)}
        )


class PerMinute(BaseThrottle):
    """REQUESTS_A_MINUTE for each key."""

    def __init__(self) -> None:
        self._now = clock.now()

    def allow_request(self, request: Request, view: Any) -> bool:
        assert isinstance(request.auth, ApiKey)
        minute = self._now.replace(second=0, microsecond=0)
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [request.auth.pk, self._now, minute])
            (requests,) = cursor.fetchone()
        return bool(requests <= REQUESTS_A_MINUTE)

    def wait(self) -> float:
        return (_MINUTE - (self._now - self._now.replace(second=0, microsecond=0))).total_seconds()


class ReadsDocs(BasePermission):
    """The schema is for programs with a key, and for staff who are logged in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, ApiKey) or bool(
            request.user and request.user.is_active and request.user.is_staff
        )
