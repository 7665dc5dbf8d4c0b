"""Writing: in one transaction, under the key's name in history, and once for each Idempotency-Key."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any

import pghistory
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accessmap.api.models import ApiKey, GivenAnswer
from portal.core import clock
from portal.core.api.errors import MEDIA_TYPE, Conflict, Unprocessable

HEADER = "Idempotency-Key"
MAX_LENGTH = 200
KEPT_FOR = timedelta(hours=24)


def write(method: Callable[..., Response]) -> Callable[..., Response]:
    """For a view's method that changes something.

    The answer is kept in the same transaction as the change: there is never one without the other, and a process that
    dies leaves neither. A lock that goes with the transaction tells that the first request is still being worked on.
    """

    @wraps(method)
    def handler(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.auth
        assert isinstance(key, ApiKey)
        name = _idempotency_key(request)

        def work() -> Response:
            try:
                with transaction.atomic():
                    return method(view, request, *args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                raise _overtaken(error) from error

        with pghistory.context(actor=key.actor, api_key=key.prefix, url=request.path), transaction.atomic():
            if name is None:
                return work()
            return _once(key, name, _digest(request), view, work)

    return handler


def _once(key: ApiKey, name: str, digest: str, view: Any, work: Callable[[], Response]) -> Response:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_number(f"{key.pk} {name}")])
        (free,) = cursor.fetchone()
    if not free:
        raise Conflict(_("The first request with this Idempotency-Key is still being worked on. Ask again soon."))
    now = clock.now()
    given = GivenAnswer.objects.filter(key=key, idempotency_key=name)
    given.filter(at__lte=now - KEPT_FOR).delete()
    earlier = given.first()
    if earlier is not None:
        return _again(earlier, digest)
    try:
        answer = work()
    except Conflict:
        raise  # nothing was done, and asking again is the remedy
    except Exception as error:
        answer = view.handle_exception(error)  # raises what is a fault of ours
    GivenAnswer.objects.create(
        key=key,
        idempotency_key=name,
        request_digest=digest,
        status=answer.status_code,
        body=JSONRenderer().render(answer.data).decode(),
        at=now,
    )
    return answer


def _again(earlier: GivenAnswer, digest: str) -> Response:
    if earlier.request_digest != digest:
        raise Unprocessable(
            _("This Idempotency-Key was used for another request within the last 24 hours. Make a new one.")
        )
    return Response(
        json.loads(earlier.body) if earlier.body else None,
        status=earlier.status,
        headers={"Idempotent-Replayed": "true"},
        content_type=MEDIA_TYPE if earlier.status >= 400 else None,
    )


def _idempotency_key(request: Request) -> str | None:
    name = request.headers.get(HEADER)
    if name is not None and not (0 < len(name) <= MAX_LENGTH and name.isascii() and name.isprintable()):
        raise ValidationError(
            {HEADER: [_("Must be of 1 to %(n)d printable ASCII characters, such as a UUID.") % {"n": MAX_LENGTH}]}
        )
    return name


def _digest(request: Request) -> str:
    said = f"{request.method} {request.get_full_path()}\n".encode() + request.body
    return sha256(said).hexdigest()


def _lock_number(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


def _overtaken(error: DatabaseError) -> Exception:
    """Somebody else changed the same rows at the same moment; what else the database says is a fault of ours."""
    if isinstance(error, IntegrityError) or "deadlock" in str(error):
        return Conflict(_("Somebody changed the same at the same moment; nothing of this was done. Send it again."))
    return error


def forget_old_answers() -> None:
    """Take away the answers that are no longer given again."""
    GivenAnswer.objects.filter(at__lte=clock.now() - KEPT_FOR).delete()
