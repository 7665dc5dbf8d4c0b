"""The cards, users, visitors and policies of a UniFi Access console, and which of them are the portal's.

A card has its alias in UniFi as its number, or its display ID where it has no alias.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from doorsync.drivers.unifi.client import NotFound, UnifiClient
from doorsync.policy.windows import ALWAYS, DoorWindows, Window, Windows

# The portal's own objects in UniFi have these names.
POLICY = "Offision door "  # and the door's ID
VISITOR = "Offision"  # the first name; the last one is the card's number
LEFTOVER = "user-"  # and a user's ID: stands in for a card where a user has our policies and no card
# The bounds of a visit without bounds, for UniFi requires them. Seconds since 1970.
FIRST, LAST = 1_577_836_800, 4_102_444_799  # 2020 to 2099
# An entry of ours that somebody changed. It is equal to no desired record, so it gets written anew.
CHANGED = Window(datetime(2020, 1, 1, tzinfo=UTC), None)
OTHER_DOOR = 0  # one that is not among those of the options
_DEAD_CARDS = ("disable", "deleted", "loss")
_LIVE_VISITORS = ("UPCOMING", "VISITING", "ACTIVE")


@dataclass(frozen=True, slots=True)
class Card:
    token: str
    owner: str  # the ID of its user or visitor; "" without one
    is_visitors: bool
    usable: bool

    @property
    def is_users(self) -> bool:
        return bool(self.owner) and not self.is_visitors


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    active: bool
    policies: frozenset[str]


@dataclass(frozen=True, slots=True)
class Visitor:
    id: str
    live: bool  # neither over nor cancelled
    record: DoorWindows


@dataclass(slots=True)
class Snapshot:
    """The state of UniFi when it was read."""

    cards: Mapping[str, Sequence[Card]]  # by number; several where cards share an alias
    users: Mapping[str, User]
    visitors: Mapping[str, Sequence[Visitor]]  # the portal's own, by card number
    policies: dict[str, tuple[int, bool]]  # the portal's own: its door, and whether it is as the portal wrote it
    at_odds: frozenset[str] = field(default_factory=frozenset)  # users whose cards are to open different doors

    def records(self) -> dict[str, DoorWindows]:
        """What the portal's policies and all visitors give to cards, by number."""
        records = {number: record for number in self.cards if (record := self._record(number)) is not None}
        owners = {card.owner for cards in self.cards.values() for card in cards}
        for user in self.users.values():
            # The user lost the card and still has our policies, which a PIN or a phone would go on to use.
            if user.id not in owners and (record := self._by_policies(user, usable=False)):
                records[LEFTOVER + user.id] = record
        return records

    def usable_cards(self) -> Mapping[str, Sequence[str]]:
        """The numbers of each user's cards, without those that are lost."""
        numbers: dict[str, list[str]] = defaultdict(list)
        for number, cards in self.cards.items():
            for card in cards:
                if card.is_users and card.usable:
                    numbers[card.owner].append(number)
        return numbers

    def _record(self, number: str) -> DoorWindows | None:
        record: dict[int, Windows] = {}
        ours = {visitor.id: visitor for visitors in self.visitors.values() for visitor in visitors}
        has_visitor = False
        for card in self.cards[number]:
            if card.is_visitors:
                # A visitor who has left still has the card, and must be deleted. The doors of other people's visitors
                # are not read.
                has_visitor = True
                visitor = ours.get(card.owner)
                record.update(visitor.record if visitor and card.usable else {})
            elif user := self.users.get(card.owner):
                record.update(self._by_policies(user, usable=card.usable))
        return record if record or has_visitor else None

    def _by_policies(self, user: User, *, usable: bool) -> dict[int, Windows]:
        """The doors that a user has by our policies."""
        record: dict[int, Windows] = {}
        for policy in user.policies & self.policies.keys():
            door, intact = self.policies[policy]
            record[door] = (ALWAYS,) if intact and usable and user.active else (CHANGED,)
        return record


def take_snapshot(api: UnifiClient, numbers: Mapping[str, int], always: str) -> Snapshot:
    """`numbers`: the doors' numbers by ID. `always`: the ID of the schedule of our policies."""
    cards: dict[str, list[Card]] = defaultdict(list)
    for number, row in cards_by_number(api):
        owner, status = str(row.get("user_id") or ""), str(row.get("status") or "")
        if status != "deleted":
            is_visitors = bool(owner) and row["user_type"] == "VISITOR"
            cards[number].append(Card(str(row["token"]), owner, is_visitors, status not in _DEAD_CARDS))
    users = [_user(row) for row in api.everything("users", "id", **{"expand[]": "access_policy"})]
    return Snapshot(
        cards=cards,
        users={user.id: user for user in users},
        visitors=_visitors(api, numbers),
        policies=_policies(api, numbers, always),
    )


def cards_by_number(api: UnifiClient) -> list[tuple[str, dict[str, Any]]]:
    rows = api.everything("credentials/nfc_cards/tokens", "token")
    return [(str(row.get("alias") or row["display_id"]), row) for row in rows]


def _user(row: Mapping[str, Any]) -> User:
    if "access_policies" not in row and "access_policy_ids" not in row:
        raise KeyError("access_policies")
    ids: Iterable[Any] = (policy["id"] for policy in row.get("access_policies") or ())
    return User(
        id=str(row["id"]),
        name=f"{row.get('first_name') or ''} {row.get('last_name') or ''}".strip() or str(row["id"]),
        # Only this plain word counts as "opens nothing".
        active=row.get("status") != "DEACTIVATED",
        policies=frozenset(map(str, (*ids, *(row.get("access_policy_ids") or ())))),
    )


def _policies(api: UnifiClient, numbers: Mapping[str, int], always: str) -> dict[str, tuple[int, bool]]:
    policies = {}
    for policy in api.get("access_policies") or []:
        name = str(policy["name"])
        if name.startswith(POLICY):
            door = name.removeprefix(POLICY)
            resources = [(resource["type"], resource["id"]) for resource in policy["resources"] or []]
            intact = resources == [("door", door)] and policy["schedule_id"] == always
            policies[str(policy["id"])] = (numbers.get(door, OTHER_DOOR), intact)
    return policies


def _visitors(api: UnifiClient, numbers: Mapping[str, int]) -> dict[str, list[Visitor]]:
    """The portal's own, also those whose visit is over."""
    visitors: dict[str, list[Visitor]] = defaultdict(list)
    groups: dict[str, list[str]] = {}
    for row in api.everything("visitors", "id", keyword=VISITOR):
        if row["first_name"] == VISITOR:
            live = row["status"] in _LIVE_VISITORS
            record = _visit(api, row, numbers, groups) if live else {}
            visitors[str(row["last_name"])].append(Visitor(str(row["id"]), live, record))
    return visitors


def _visit(
    api: UnifiClient, row: Mapping[str, Any], numbers: Mapping[str, int], groups: dict[str, list[str]]
) -> DoorWindows:
    """When and where a visitor is admitted. `groups`: a cache of the doors of groups."""
    start, end = int(row["start_time"]), int(row["end_time"])
    window = Window(
        None if start == FIRST else datetime.fromtimestamp(start, UTC),
        None if end == LAST else datetime.fromtimestamp(end + 1, UTC),
    )
    doors: set[str] = set()
    for resource in row["resources"] or []:
        name = str(resource["id"])
        if resource["type"] == "door":
            doors.add(name)
            continue
        # UniFi makes one group of all doors of a visitor.
        if name not in groups:
            groups[name] = _doors_of(api, name)
        doors.update(groups[name])
    return {numbers.get(door, OTHER_DOOR): (window,) for door in doors}


def _doors_of(api: UnifiClient, group: str) -> list[str]:
    try:
        doors = api.get(f"door_groups/{quote(group, safe='')}")["resources"]
    except NotFound:
        return []
    return [str(door["id"]) for door in doors or []]
