"""UniFi Access's system log as door events.

Its entries have no number. An event's index is its time (milliseconds since 1970) times 1000, plus its place among the
entries of the same millisecond, which the log lists newest first. The last seconds, by the console's own clock, are
left out, so that all entries of one moment are read together.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from doorsync.drivers.base import DoorEvent, Refused
from doorsync.drivers.unifi.client import UnifiClient
from doorsync.drivers.unifi.state import VISITOR, cards_by_number

SETTLED_AFTER = 5  # seconds
PAGE_SIZE = 100  # the console gives no more at once
AT_ONCE = 400  # events, or two seconds' worth of them
MAX_PAGES = 100
HOUR, DAY = 3600, 86_400
# Older events are not read: the search for them would take all day.
AT_MOST_BACK = 7 * DAY

_KINDS = {"ACCESS": "opened", "BLOCKED": "denied"}
# A door opened without a credential: remotely, by a button, by a request to exit.
_NO_CREDENTIAL = ("REMOTE", "BUTTON", "REN", "REX")


class UnifiLog:
    """`numbers`: the doors' numbers by ID. `now` (aware) stands in for the console's clock where it sends no date."""

    def __init__(self, api: UnifiClient, numbers: Mapping[str, int], now: datetime) -> None:
        self._api, self._numbers, self._now = api, numbers, now

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        """See Driver.events. The first time, those of the last day."""
        since, after = self._from(after)
        end = self._settled
        while since < end:
            until = end
            while until - since > 1 and self._count(since, until) > AT_ONCE:
                until = since + (until - since) // 2
            if events := self._between(since, until, after):
                return events
            since = until  # nothing happened in that part
        return []

    def _from(self, after: int) -> tuple[int, int]:
        """The start of the search (seconds since 1970), and the index above which events are new."""
        end, last = self._settled, after // 1_000_000
        if last > end + HOUR:  # its clock was wrong then
            last = after = 0
        if not last:
            return end - DAY, after
        return max(last - 1, end - AT_MOST_BACK), after

    @cached_property
    def _settled(self) -> int:
        """The last second (since 1970) whose events are all in the log."""
        self._query(0, 1, page=1, size=1)
        return int((self._api.moment or self._now).timestamp()) - SETTLED_AFTER

    def _between(self, since: int, until: int, after: int) -> list[DoorEvent]:
        hits = [(int(hit["event"]["published"]), hit) for hit in self._all(since, until)]
        # All entries of one moment are read together, so their order changes no index.
        hits.reverse()
        hits.sort(key=lambda entry: entry[0])
        events, place, before = [], 0, None
        for published, hit in hits:
            place, before = (place + 1 if published == before else 0), published
            index = published * 1000 + place
            if index > after and published <= until * 1000:
                events.append(self._event(index, published, hit))
        return events

    def _event(self, index: int, published: int, hit: Mapping[str, Any]) -> DoorEvent:
        door = self._door(hit)
        kind = _KINDS.get(str(hit["event"].get("result")), "")
        if kind == "opened" and _provider(hit).startswith(_NO_CREDENTIAL):
            kind = "unlocked"
        return DoorEvent(
            index=index,
            at=datetime.fromtimestamp(published / 1000, UTC),
            door=door or 0,
            card=self._card(hit) if door else "",
            kind=kind if door else "",  # at other doors: only counted as read
        )

    def _all(self, since: int, until: int) -> list[dict[str, Any]]:
        hits: list[dict[str, Any]] = []
        for number in range(1, MAX_PAGES + 1):
            page, total = self._query(since, until, page=number, size=PAGE_SIZE)
            hits += page
            if not page or (len(page) < PAGE_SIZE and len(hits) >= total):
                break
        return hits

    def _count(self, since: int, until: int) -> int:
        return self._query(since, until, page=1, size=1)[1]

    def _query(self, since: int, until: int, *, page: int, size: int) -> tuple[list[dict[str, Any]], int]:
        body = {"topic": "door_openings", "since": since, "until": until}
        data = self._api.change("POST", "system/logs", body, page_num=str(page), page_size=str(size))
        return [hit["_source"] for hit in data["hits"] or []], int(data["total"])

    def _door(self, hit: Mapping[str, Any]) -> int | None:
        """The number of the door; None for a door of another controller."""
        targets = hit.get("target") or []
        doors = [target["id"] for target in targets if target["type"] == "door"]
        doors = doors or [self._hubs.get(target["id"]) for target in targets]
        return next((self._numbers[door] for door in doors if door in self._numbers), None)

    @cached_property
    def _hubs(self) -> Mapping[str, str]:
        """The doors' IDs by the IDs of their devices: some events name only the device."""
        try:
            groups = self._api.get("devices") or []
        except Refused:  # the token need not have that permission
            return {}
        return {str(device["id"]): str(device["location_id"]) for group in groups for device in group}

    def _card(self, hit: Mapping[str, Any]) -> str:
        """The number of the card that was presented; "" where it was no card, or the log does not say which."""
        if not _provider(hit).startswith("NFC"):
            return ""
        authentication, actor = hit["authentication"], hit.get("actor") or {}
        issuer, user = str(authentication.get("issuer") or ""), str(actor.get("id") or "")
        rows, name = self._rows, str(actor.get("display_name") or "").split()
        by_issuer = {
            n for n, row in rows if issuer and issuer in (row.get("display_id"), row.get("nfc_id"), row["token"], n)
        }
        by_user = {number for number, row in rows if user and row.get("user_id") == user}
        if len(by_issuer) == 1:
            return by_issuer.pop()
        if len(by_user) == 1:
            return by_user.pop()
        return name[1] if len(name) == 2 and name[0] == VISITOR else issuer

    @cached_property
    def _rows(self) -> list[tuple[str, dict[str, Any]]]:
        return cards_by_number(self._api)


def _provider(hit: Mapping[str, Any]) -> str:
    return str((hit.get("authentication") or {}).get("credential_provider") or "").upper()
