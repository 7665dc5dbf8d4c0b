"""Writes of the API: each in one transaction, under the key's name in history, and once per Idempotency-Key."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any

import pghistory
import psycopg.errors
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accessmap.api.models import ApiKey, StoredResponse
from portal.core import clock
from portal.core.api.errors import MEDIA_TYPE, Conflict, Unprocessable

HEADER = "Idempotency-Key"
MAX_LENGTH = 200
KEPT_FOR = timedelta(hours=24)
# What PostgreSQL raises because of another transaction. Anything else is a fault of the portal.
_CONFLICTS = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.ForeignKeyViolation,  # raised when the transaction is committed
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.SerializationFailure,
)


def write(method: Callable[..., Response]) -> Callable[..., Response]:
    """Decorate a view's method that changes something.

    The response is stored in the transaction of the change: there is never one without the other, and a process that
    dies leaves neither. A lock that ends with the transaction shows that the first request is still being handled.
    """

    @wraps(method)
    def handler(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.auth
        assert isinstance(key, ApiKey)
        name = _idempotency_key(request)

        def work() -> Response:
            with transaction.atomic():
                return method(view, request, *args, **kwargs)

        try:
            with pghistory.context(actor=key.actor, api_key=key.prefix, url=request.path), transaction.atomic():
                return work() if name is None else _once(key, name, _digest(request), view, work)
        except (IntegrityError, OperationalError) as error:
            if not isinstance(error.__cause__, _CONFLICTS):
                raise
            raise Conflict(
                _("Somebody changed the same at the same moment; nothing of this was done. Send it again.")
            ) from error

    return handler


def _once(key: ApiKey, name: str, digest: str, view: Any, work: Callable[[], Response]) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_number(f"{key.pk} {name}")])
        (free,) = cursor.fetchone()
    if not free:
        raise Conflict(_("The first request with this Idempotency-Key is still being handled. Send it again soon."))
    now = clock.now()
    stored = StoredResponse.objects.filter(key=key, idempotency_key=name)
    stored.filter(at__lte=now - KEPT_FOR).delete()
    first = stored.first()
    if first is not None:
        return _replay(first, digest)
    try:
        response = work()
    except Exception as error:
        response = view.handle_exception(error)  # raises what is no answer: faults of the portal, conflicts
    StoredResponse.objects.create(
        key=key,
        idempotency_key=name,
        request_digest=digest,
        status=response.status_code,
        body=JSONRenderer().render(response.data).decode(),
        at=now,
    )
    return response


def _replay(first: StoredResponse, digest: str) -> Response:
    if first.request_digest != digest:
        raise Unprocessable(
            _("This Idempotency-Key was used for another request within the last 24 hours. Make a new one.")
        )
    return Response(
        json.loads(first.body) if first.body else None,
        status=first.status,
        headers={"Idempotent-Replayed": "true"},
        content_type=MEDIA_TYPE if first.status >= 400 else None,
    )


def _idempotency_key(request: Request) -> str | None:
    name = request.headers.get(HEADER)
    if name is not None and not (0 < len(name) <= MAX_LENGTH and name.isascii() and name.isprintable()):
        raise ValidationError(
            {HEADER: [_("Must be of 1 to %(n)d printable ASCII characters, such as a UUID.") % {"n": MAX_LENGTH}]}
        )
    return name


def _digest(request: Request) -> str:
    return sha256(f"{request.method} {request.get_full_path()}\n".encode() + request.body).hexdigest()


def _lock_number(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


def delete_old_responses() -> None:
    """Delete the responses that are not replayed any more."""
    StoredResponse.objects.filter(at__lte=clock.now() - KEPT_FOR).delete()
