"""Signed messages to one receiver. Any 2xx answer is a yes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from doorsync.drivers.errors import Refused, Unknown, Unreachable
from doorsync.drivers.webhook import problems
from portal.core import clock, webhooks
from portal.core.http import HttpError


class Receiver:
    """Each message is sent once, and ends within twice the time-out (`seconds`)."""

    def __init__(self, url: str, secret: str, seconds: float) -> None:
        self._url, self._secret, self._seconds = url, secret, seconds
        self._session = webhooks.new_session()

    def close(self) -> None:
        self._session.close()

    def send(self, kind: str, data: Mapping[str, Any], *, key: str) -> None:
        """`key`: the message's id. Raises Unreachable, Unknown or Refused."""
        try:
            status = webhooks.post(
                self._session,
                self._url,
                secret=self._secret,
                key=key,
                kind=kind,
                data=data,
                now=clock.now(),
                seconds=self._seconds,
            )
        except HttpError as error:
            raise (Unknown if error.sent else Unreachable)(error.problem) from error
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(problems.REFUSED(status=status))
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unknown(problems.FAILED(status=status))
