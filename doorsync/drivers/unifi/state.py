"""What a UniFi Access console shows of cards, users, visitors and policies, and which of it is the portal's.

A card is called by its alias in UniFi, or by its display ID where it has none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from doorsync.drivers.unifi.client import NotThere, UnifiClient
from doorsync.policy.windows import ALWAYS, Record, Window, Windows

# What the portal owns in UniFi is told by these names.
POLICY = "Offision door "  # and the door's ID
VISITOR = "Offision"  # the first name; the last one is the card's number
LEFTOVER = "user-"  # and a user's ID: stands for a card where a user has our policies and no card
# The bounds of a visit without bounds: a visitor has to have them. Seconds since 1970.
FIRST, LAST = 1_577_836_800, 4_102_444_799  # 2020 to 2099
# An entry of ours that is not as we would write it. It is equal to nothing that is wanted, so it gets written anew.
CHANGED = Window(datetime(2020, 1, 1, tzinfo=UTC), None)
OTHER_DOOR = 0  # one that is not among those of the options
_DEAD_CARDS = ("disable", "deleted", "loss")
_LIVE_VISITORS = ("UPCOMING", "VISITING", "ACTIVE")


@dataclass(frozen=True, slots=True)
class Card:
    token: str
    owner: str  # the ID of its user or visitor; "" where nobody has it
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
    live: bool  # not over, nor called off
    record: Record


@dataclass(slots=True)
class Seen:
    """What UniFi showed when it was read."""

    cards: Mapping[str, Sequence[Card]]  # by number; more than one where some are called alike
    users: Mapping[str, User]
    visitors: Mapping[str, Sequence[Visitor]]  # the portal's own, by card number
    policies: dict[str, tuple[int, bool]]  # the portal's own: of which door, and whether it is as it should be
    at_odds: frozenset[str] = field(default_factory=frozenset)  # users whose cards are not all wanted alike

    def held(self) -> dict[str, Record]:
        """What the portal's policies and anybody's visitors give to cards, by number."""
        found = {number: record for number in self.cards if (record := self._held(number)) is not None}
        having = {card.owner for some in self.cards.values() for card in some}
        for user in self.users.values():
            # Their card was taken away while they had our policies; their PIN or phone would go on to open.
            if user.id not in having and (record := self._by_policies(user, usable=False)):
                found[LEFTOVER + user.id] = record
        return found

    def usable_cards(self) -> Mapping[str, Sequence[str]]:
        """The numbers of the cards of each user that are not lost."""
        found: dict[str, list[str]] = defaultdict(list)
        for number, cards in self.cards.items():
            for card in cards:
                if card.is_users and card.usable:
                    found[card.owner].append(number)
        return found

    def _held(self, number: str) -> Record | None:
        record: dict[int, Windows] = {}
        ours = {visitor.id: visitor for some in self.visitors.values() for visitor in some}
        holds = False
        for card in self.cards[number]:
            if card.is_visitors:
                # One who has left still has the card, and is tidied away. Other people's visitors' doors are not read.
                holds = True
                visitor = ours.get(card.owner)
                record.update(visitor.record if visitor and card.usable else {})
            elif user := self.users.get(card.owner):
                record.update(self._by_policies(user, usable=card.usable))
        return record if record or holds else None

    def _by_policies(self, user: User, *, usable: bool) -> dict[int, Windows]:
        """The doors that a user has by our policies."""
        record: dict[int, Windows] = {}
        for policy in user.policies & self.policies.keys():
            door, sound = self.policies[policy]
            record[door] = (ALWAYS,) if sound and usable and user.active else (CHANGED,)
        return record


def look(api: UnifiClient, numbers: Mapping[str, int], always: str) -> Seen:
    """`numbers`: the doors' numbers by ID. `always`: the ID of the schedule that our policies have."""
    cards: dict[str, list[Card]] = defaultdict(list)
    for number, row in cards_by_number(api):
        owner, status = str(row.get("user_id") or ""), str(row.get("status") or "")
        if status != "deleted":
            is_visitors = bool(owner) and row["user_type"] == "VISITOR"
            cards[number].append(Card(str(row["token"]), owner, is_visitors, status not in _DEAD_CARDS))
    users = [_user(row) for row in api.everything("users", "id", **{"expand[]": "access_policy"})]
    return Seen(
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
    named: Iterable[Any] = (policy["id"] for policy in row.get("access_policies") or ())
    return User(
        id=str(row["id"]),
        name=f"{row.get('first_name') or ''} {row.get('last_name') or ''}".strip() or str(row["id"]),
        # Only this plain word is believed to mean that nothing opens.
        active=row.get("status") != "DEACTIVATED",
        policies=frozenset(map(str, (*named, *(row.get("access_policy_ids") or ())))),
    )


def _policies(api: UnifiClient, numbers: Mapping[str, int], always: str) -> dict[str, tuple[int, bool]]:
    found = {}
    for policy in api.get("access_policies") or []:
        name = str(policy["name"])
        if name.startswith(POLICY):
            door = name.removeprefix(POLICY)
            resources = [(resource["type"], resource["id"]) for resource in policy["resources"] or []]
            sound = resources == [("door", door)] and policy["schedule_id"] == always
            found[str(policy["id"])] = (numbers.get(door, OTHER_DOOR), sound)
    return found


def _visitors(api: UnifiClient, numbers: Mapping[str, int]) -> dict[str, list[Visitor]]:
    """The portal's own, also those who have left."""
    found: dict[str, list[Visitor]] = defaultdict(list)
    groups: dict[str, list[str]] = {}
    for row in api.everything("visitors", "id", keyword=VISITOR):
        if row["first_name"] == VISITOR:
            live = row["status"] in _LIVE_VISITORS
            record = _visit(api, row, numbers, groups) if live else {}
            found[str(row["last_name"])].append(Visitor(str(row["id"]), live, record))
    return found


def _visit(
    api: UnifiClient, row: Mapping[str, Any], numbers: Mapping[str, int], groups: dict[str, list[str]]
) -> Record:
    """When and where a visitor is admitted. `groups`: the doors of the groups that were asked for already."""
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
        # UniFi makes a group of its own of a visitor's doors.
        if name not in groups:
            groups[name] = _doors_of(api, name)
        doors.update(groups[name])
    return {numbers.get(door, OTHER_DOOR): (window,) for door in doors}


def _doors_of(api: UnifiClient, group: str) -> list[str]:
    try:
        shown = api.get(f"door_groups/{quote(group, safe='')}")
    except NotThere:
        return []
    return [str(door["id"]) for door in shown["resources"] or []]
