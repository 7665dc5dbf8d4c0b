"""Requests to one UHPPOTE board over UDP, by the uhppoted package."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from uhppoted.errors import CardDeleted, CardNotFound, EventNotFound, EventOverwritten, TimeProfileNotFound
from uhppoted.structs import Card
from uhppoted.uhppote import Uhppote

from doorsync.drivers.errors import Unknown, Unreachable
from doorsync.drivers.uhppote import problems

READING_SECONDS = 30  # all cards of a board; less than the lease of a reconciliation
_NOT_THERE = (CardNotFound, CardDeleted, TimeProfileNotFound, EventNotFound, EventOverwritten)


class Board:
    """Each request has a socket of its own and is sent once."""

    def __init__(self, serial: int, address: str, seconds: float) -> None:
        """`seconds`: the time-out."""
        self._serial, self._seconds = serial, seconds
        self._library = Uhppote()
        # UDP only: the library's TCP mode never ends when the board closes the connection.
        self._at = (serial, address, "udp")

    def ask(self, request: Callable[..., Any], *arguments: Any) -> Any:
        """The answer to one request, a method of Uhppote. Raises Unreachable or Unknown.

        The library's own errors for what the board does not have (CardNotFound and the like) pass.
        """
        try:
            answer = request(self._library, self._at, *arguments, timeout=self._seconds)
        except _NOT_THERE:
            raise
        except TimeoutError as error:
            raise Unknown(problems.NO_ANSWER(seconds=self._seconds)) from error
        except OSError as error:
            raise Unreachable(problems.NOT_REACHED(why=error.strerror or str(error))) from error
        except Exception as error:  # the library raises all kinds for an answer that does not fit
            raise Unknown(problems.NOT_UHPPOTE(error=type(error).__name__)) from error
        if answer is None or getattr(answer, "controller", self._serial) != self._serial:
            raise Unknown(problems.OTHER_BOARD())
        return answer

    def cards(self) -> Iterator[Card]:
        """All cards of the board. Raises Unknown where they take too long."""
        count, index = self.ask(Uhppote.get_cards).cards, 0
        last_moment = time.monotonic() + READING_SECONDS
        while count > 0:
            if time.monotonic() > last_moment:
                raise Unknown(problems.CARDS_TOO_SLOW(n=READING_SECONDS))
            index += 1
            try:
                yield self.ask(Uhppote.get_card_record_by_index, index)
            except CardDeleted:
                continue  # a deleted card leaves its place behind
            except CardNotFound:
                return
            count -= 1
