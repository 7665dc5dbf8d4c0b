"""UniFi Access: cards of users by access policies that are swapped at the edges, other cards by visitors.

Written from Ubiquiti's API reference; docs/controllers/unifi.md shows how a booking becomes a policy or a visitor. A
card has its alias in UniFi as its number, or its display ID where it has no alias. All moments on the wire are seconds
since 1970, in UTC; those of events are milliseconds.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr, field_validator

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Encoded,
    Granularity,
    Hold,
    Refused,
    one_stretch,
)
from doorsync.drivers.options import DriverOptions, Fingerprint, matching, option
from doorsync.drivers.problems import HTTPS_URL_EXPECTED
from doorsync.drivers.unifi import problems
from doorsync.drivers.unifi.client import NotFound, UnifiClient, understood
from doorsync.drivers.unifi.events import UnifiLog
from doorsync.drivers.unifi.state import FIRST, LAST, LEFTOVER, POLICY, VISITOR, Card, Snapshot, Visitor, take_snapshot
from doorsync.policy.windows import ALWAYS, DoorWindows, Window, Windows
from portal.core.problems import Problems


class UnifiOptions(DriverOptions):
    url: Annotated[str, matching(r"^https://[^\s/]+/?$", HTTPS_URL_EXPECTED)] = option(
        title=_("address"), description=_("Of the console, with the port of its API: https://192.168.1.1:12445")
    )
    token: SecretStr = option(
        title=_("API token"),
        description=_("Made in UniFi Access, under Settings, General, Advanced, API Token."),
    )
    fingerprint: Fingerprint = option(
        title=_("certificate fingerprint"),
        description=_("SHA-256 of the console's certificate: 64 hexadecimal digits."),
    )
    doors: str = option(
        "",
        title=_("doors"),
        description=_("The doors' IDs, that of door 1 first, with commas between. Test the connection lists them."),
    )
    staff_cards: bool = option(
        True,
        title=_("cards of UniFi's users, too"),
        description=_(
            "Their access begins and ends by the portal, which must be up then. Without it only cards that nobody "
            "has in UniFi are admitted: their access ends by itself."
        ),
    )

    @field_validator("token")
    @classmethod
    def _is_sendable(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text or not all("!" <= character <= "~" for character in text):
            raise ValueError(problems.TOKEN_EXPECTED())
        return value

    @field_validator("doors")
    @classmethod
    def _are_ids(cls, value: str) -> str:
        ids = door_ids(value)
        if not all(door.replace("-", "").isalnum() and door.isascii() for door in ids):
            raise ValueError(problems.IDS_EXPECTED())
        if len(set(ids)) != len(ids):
            raise ValueError(problems.DOOR_TWICE())
        return value


def door_ids(text: str) -> list[str]:
    return text.replace(",", " ").split()


class UnifiDriver(Driver):
    Options = UnifiOptions
    options: UnifiOptions
    verified = _(
        "Not verified against a real device: tested against a fake of our own, written from Ubiquiti's API reference."
    )

    def set_up(self) -> None:
        self.capabilities = Capabilities(
            # Visitors' access ends by itself; but a promise must hold for every card.
            windows=Granularity.NONE if self.options.staff_cards else Granularity.CARD,
            hold=Hold.NOW,
            events=True,
        )
        self._doors = dict(enumerate(door_ids(self.options.doors), 1))
        self._numbers = {door: number for number, door in self._doors.items()}
        self._api = UnifiClient(
            self.options.url, self.options.token, self.options.fingerprint, self.options.timeout_seconds
        )
        self._snapshot: Snapshot | None = None

    def info(self) -> DeviceInfo:
        with understood():
            doors = {str(door["id"]): str(door["name"]) for door in self._api.get("doors")}
            groups = self._api.get("door_groups/topology")
            # The API has no serial number. The group of all doors is made once for each console's building.
            buildings = sorted(str(group["id"]) for group in groups if group["type"] == "building" and group["id"])
        names = ", ".join(f"{name} = {door}" for door, name in sorted(doors.items(), key=lambda pair: pair[1]))
        notes = [problems.DOORS(doors=names or "–")]
        if missing := [door for door in self._numbers if door not in doors]:
            notes.append(problems.DOORS_MISSING(doors=", ".join(missing)))
        serial = buildings[0] if buildings else self.options.fingerprint
        return DeviceInfo("UniFi Access", firmware="", serial=serial, time=None, capacity=None, notes=Problems(notes))

    # Cards ------------------------------------------------------------------------------------------------

    def encode_all(self, wanted: Mapping[str, DoorWindows]) -> Encoded:
        """Cards of users hold the doors that are open right now; others hold the current stretch or the next."""
        now = {number: self.open_now(record) for number, record in wanted.items()}
        cards = self._snapshot.cards if self._snapshot else {}
        records = {}
        for number, record in wanted.items():
            by_policy = self.options.staff_cards and any(card.is_users for card in cards.get(number, ()))
            encoded = now[number] if by_policy else one_stretch(self.expressible(record), self.now)
            if encoded:
                records[number] = encoded
        if self._snapshot is not None:
            self._snapshot.at_odds = frozenset(
                owner
                for owner, numbers in self._snapshot.usable_cards().items()
                if len({frozenset(now.get(number, {})) for number in numbers}) > 1
            )
        return Encoded(records)

    def read(self) -> Actual:
        with understood():
            self._snapshot = None
            return Actual(cards=self._known.records(), holds=self._holds())

    def put(self, card: str, record: DoorWindows) -> None:
        with understood():
            known = self._only(card)
            if known.is_users:
                self._admit(known.owner, record)
            else:
                self._invite(card, known, record)

    def remove(self, card: str) -> None:
        with understood():
            if card.startswith(LEFTOVER):
                self._assign(card.removeprefix(LEFTOVER), {})
                return
            for known in self._known.cards.get(card, ()):
                if known.is_users:
                    self._assign(known.owner, {})
                elif known.is_visitors and not self._given_away(card, known):
                    self._take_from_visitor(known)
            for visitor in self._known.visitors.get(card, ()):
                self._delete(visitor)

    # Users' cards, by policies ------------------------------------------------------------------------------

    def _admit(self, owner: str, record: DoorWindows) -> None:
        user = self._known.users.get(owner)
        if user is None:
            raise Refused(problems.USER_HIDDEN())
        if not self.options.staff_cards:
            raise Refused(problems.USERS_CARD(user=user.name))
        if not user.active:
            raise Refused(problems.USER_DEACTIVATED(user=user.name))
        if owner in self._known.at_odds:
            raise Refused(problems.CARDS_AT_ODDS(user=user.name, n=len(self._known.usable_cards()[owner])))
        if any(windows != (ALWAYS,) for windows in record.values()):
            raise Refused(problems.ENDLESS())
        self._assign(owner, record)

    def _assign(self, user: str, record: DoorWindows) -> None:
        """Give a user our policies of these doors and no others of ours. All other policies of the user stay."""
        ours = [self._policy(door) for door in sorted(record)]
        path = f"users/{quote(user, safe='')}/access_policies"
        try:
            # Without those of the user's groups: writing them here would make them the user's own.
            before = [str(policy["id"]) for policy in self._api.get(path, only_user_policies="true") or []]
        except NotFound:
            if record:
                raise
            return
        after = [*(policy for policy in before if policy not in self._known.policies), *ours]
        if sorted(after) != sorted(before):
            self._api.change("PUT", path, {"access_policy_ids": after})

    def _policy(self, door: int) -> str:
        """The ID of our policy of a door. It is made where it is missing, and made anew where somebody changed it."""
        known = self._known.policies
        ours = {policy: intact for policy, (number, intact) in known.items() if number == door}
        for policy, intact in ours.items():
            if intact:
                return policy
        for policy in ours:
            # Its users are no longer in step, and get the new one.
            self._api.change("DELETE", f"access_policies/{quote(policy, safe='')}")
            del known[policy]
        if not self._always:
            raise Refused(problems.NO_SCHEDULE())
        body = {
            "name": POLICY + self._door(door),
            "resources": [{"id": self._door(door), "type": "door"}],
            "schedule_id": self._always,
        }
        created = str(self._api.change("POST", "access_policies", body)["id"])
        known[created] = (door, True)
        return created

    # Other cards, by visitors -------------------------------------------------------------------------------

    def _invite(self, number: str, card: Card, record: DoorWindows) -> None:
        windows = {window for of_door in record.values() for window in of_door}
        if len(windows) != 1:
            raise Refused(problems.ONE_STRETCH())
        if self._given_away(number, card):
            raise Refused(problems.GIVEN_AWAY())
        (window,) = windows
        body = {
            # The end is the last second that admits, as in the reference's example.
            "start_time": FIRST if window.start is None else int(window.start.timestamp()),
            "end_time": LAST if window.end is None else int(window.end.timestamp()) - 1,
            "resources": [{"id": self._door(door), "type": "door"} for door in sorted(record)],
        }
        ours = self._known.visitors.get(number, ())
        # A visit that is over can't begin again.
        kept = next((v for v in ours if v.live and v.id == card.owner), None) or next((v for v in ours if v.live), None)
        if card.owner and (kept is None or card.owner != kept.id):
            self._take_from_visitor(card)
        for visitor in ours:
            if visitor is not kept:
                self._delete(visitor)
        if kept is not None:
            visitor_id = kept.id
            self._api.change("PUT", f"visitors/{quote(visitor_id, safe='')}", body)
        else:
            body |= {"first_name": VISITOR, "last_name": number, "visit_reason": "Others"}
            visitor_id = str(self._api.change("POST", "visitors", body)["id"])
        if card.owner != visitor_id:
            # Never forced: if the card was given to somebody meanwhile, it stays with them.
            body = {"token": card.token, "force_add": False}
            self._api.change("PUT", f"visitors/{quote(visitor_id, safe='')}/nfc_cards", body)

    def _given_away(self, number: str, card: Card) -> bool:
        """Whether somebody gave the card of a visitor of ours to another visitor.

        Where no visitor of ours exists, staff adopted the card: otherwise the portal would not write it.
        """
        ours = {visitor.id for visitor in self._known.visitors.get(number, ())}
        return card.is_visitors and bool(ours) and card.owner not in ours

    def _take_from_visitor(self, card: Card) -> None:
        try:
            self._api.change("PUT", f"visitors/{quote(card.owner, safe='')}/nfc_cards/delete", {"token": card.token})
        except NotFound:
            return

    def _delete(self, visitor: Visitor) -> None:
        try:
            self._api.change("DELETE", f"visitors/{quote(visitor.id, safe='')}", is_force="true")
        except NotFound:
            return

    # The state of UniFi -------------------------------------------------------------------------------------

    @property
    def _known(self) -> Snapshot:
        if self._snapshot is None:
            self._snapshot = take_snapshot(self._api, self._numbers, self._always)
        return self._snapshot

    @cached_property
    def _always(self) -> str:
        """The ID of UniFi's own schedule that admits at all times; "" where it shows none."""
        schedules = self._api.get("access_policies/schedules") or []
        ids = [str(s["id"]) for s in schedules if s["is_default"] and s["type"] == "access"]
        return ids[0] if len(ids) == 1 else ""

    def _only(self, number: str) -> Card:
        """The only card of this number. Raises Refused where UniFi has none or several, or it can't admit anybody."""
        cards = self._known.cards.get(number, ())
        if not cards:
            raise Refused(problems.UNKNOWN_CARD())
        if len(cards) > 1:
            raise Refused(problems.AMBIGUOUS_CARD())
        if not cards[0].usable:
            raise Refused(problems.UNUSABLE_CARD())
        return cards[0]

    # Doors --------------------------------------------------------------------------------------------------

    def _door(self, number: int) -> str:
        if number not in self._doors:
            raise Refused(problems.UNLISTED_DOOR(n=number))
        return self._doors[number]

    def _rule(self, number: int) -> tuple[str, int]:
        """The lock rule of a door, "" for none, and until when it lasts (seconds since 1970)."""
        with understood():
            rule = self._api.get(f"doors/{self._door(number)}/lock_rule") or {}
            return str(rule.get("type") or ""), int(rule.get("ended_time") or 0)

    def _holds(self) -> DoorWindows:
        """The doors held unlocked by a lock rule. UniFi's own unlock schedules do not count."""
        holds: dict[int, Windows] = {}
        for number in self._doors:
            try:
                rule, end = self._rule(number)
            except Refused:
                continue  # the door is gone, or has no hub; the others are read all the same
            if rule == "keep_unlock":
                holds[number] = (ALWAYS,)
            elif rule == "custom":
                holds[number] = (Window(None, datetime.fromtimestamp(end, UTC)),)
        return holds

    def hold(self, door: int, held: Windows) -> None:
        path, (rule, _end) = f"doors/{self._door(door)}/lock_rule", self._rule(door)
        if held and rule == "keep_lock":
            raise Refused(problems.DOOR_LOCKED())
        if held and rule != "keep_unlock":
            self._api.change("PUT", path, {"type": "keep_unlock"})
        elif not held and rule in ("keep_unlock", "custom"):
            self._api.change("PUT", path, {"type": "reset"})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # The door's own setting says for how long, and the API knows no keys.
        self._api.change("PUT", f"doors/{self._door(door)}/unlock")

    # Events -------------------------------------------------------------------------------------------------

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        with understood():
            return UnifiLog(self._api, self._numbers, self.now).events(after=after)

    def close(self) -> None:
        self._api.close()
