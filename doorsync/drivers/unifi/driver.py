"""UniFi Access: cards of users by access policies that are swapped at the edges, other cards by visitors.

Written from Ubiquiti's API reference; see docs/controllers/unifi.md for what becomes what. A card is called by its
alias in UniFi, or by its display ID where it has none. All moments on the wire are seconds since 1970, in UTC; those of
events milliseconds.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

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
    validated,
)
from doorsync.drivers.unifi.client import NotThere, UnifiClient, understood
from doorsync.drivers.unifi.events import UnifiLog
from doorsync.drivers.unifi.state import FIRST, LAST, LEFTOVER, POLICY, VISITOR, Card, Seen, Visitor, look
from doorsync.policy.windows import ALWAYS, Record, Window, Windows
from portal.core.http import normal_fingerprint


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^https://[^\s/]+/?$",
        title=str(gettext_lazy("address")),
        description=str(gettext_lazy("Of the console, with the port of its API: https://192.168.1.1:12445")),
    )
    token: SecretStr = Field(
        title=str(gettext_lazy("API token")),
        description=str(gettext_lazy("Made in UniFi Access, under Settings, General, Advanced, API Token.")),
    )
    fingerprint: str = Field(
        title=str(gettext_lazy("certificate fingerprint")),
        description=str(gettext_lazy("SHA-256 of the console's certificate: 64 hexadecimal digits.")),
    )
    doors: str = Field(
        default="",
        title=str(gettext_lazy("doors")),
        description=str(
            gettext_lazy("The doors' IDs, that of door 1 first, with commas between. Test the connection lists them.")
        ),
    )
    staff_cards: bool = Field(
        default=True,
        title=str(gettext_lazy("cards of UniFi's users, too")),
        description=str(
            gettext_lazy(
                "Their access begins and ends by the portal, which must be up then. Without it only cards that nobody "
                "has in UniFi are admitted: their access ends by itself."
            )
        ),
    )
    timeout_seconds: float = Field(default=5, gt=0, le=30, title=str(gettext_lazy("time-out (seconds)")))

    @field_validator("token")
    @classmethod
    def _is_sendable(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text or not all("!" <= character <= "~" for character in text):
            raise ValueError(_("it must be letters, digits and signs without spaces"))
        return value

    @field_validator("fingerprint")
    @classmethod
    def _is_sha256(cls, value: str) -> str:
        try:
            return normal_fingerprint(value)
        except ValueError:
            raise ValueError(_("it must be the SHA-256 fingerprint: 64 hexadecimal digits")) from None

    @field_validator("doors")
    @classmethod
    def _are_ids(cls, value: str) -> str:
        found = door_ids(value)
        if not all(door.replace("-", "").isalnum() and door.isascii() for door in found):
            raise ValueError(_("it must be IDs, with commas or spaces between"))
        if len(set(found)) != len(found):
            raise ValueError(_("a door is in it twice"))
        return value


def door_ids(text: str) -> list[str]:
    return text.replace(",", " ").split()


class UnifiDriver(Driver):
    Options = Options
    verified = gettext_lazy(
        "Not verified against a real device: tested against a fake of our own, written from Ubiquiti's API reference."
    )

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = found = validated(Options, options)
        self.capabilities = Capabilities(
            # Visitors' access ends by itself; but a promise must hold for every card.
            windows=Granularity.NONE if found.staff_cards else Granularity.CARD,
            resolution_seconds=1,
            holds_cards=True,
            lists_cards=True,
            pulse=True,
            hold=Hold.NOW,
            events=True,
            sets_clock=False,
        )
        self._doors = dict(enumerate(door_ids(found.doors), 1))
        self._numbers = {door: number for number, door in self._doors.items()}
        self._api = UnifiClient(found.url, found.token, found.fingerprint, found.timeout_seconds)
        self._seen: Seen | None = None

    def info(self) -> DeviceInfo:
        with understood():
            doors = {str(door["id"]): str(door["name"]) for door in self._api.get("doors")}
            groups = self._api.get("door_groups/topology")
            # The API tells no serial number. The group of all doors is made once for each console's building.
            buildings = sorted(str(group["id"]) for group in groups if group["type"] == "building" and group["id"])
        names = ", ".join(f"{name} = {door}" for door, name in sorted(doors.items(), key=lambda pair: pair[1]))
        found = _("its doors: %(doors)s") % {"doors": names or "–"}
        if missing := [door for door in self._numbers if door not in doors]:
            found += "; " + _("not there: %(doors)s") % {"doors": ", ".join(missing)}
        serial = buildings[0] if buildings else self._options.fingerprint
        return DeviceInfo(model="UniFi Access", firmware="", serial=serial, time=None, capacity=None, found=found)

    # Cards ------------------------------------------------------------------------------------------------

    def encode_all(self, wanted: Mapping[str, Record]) -> Encoded:
        """Cards of users hold what is open right now; others have the stretch that is on or comes next."""
        now = {number: self.open_now(some) for number, some in wanted.items()}
        there = self._seen.cards if self._seen else {}
        records = {}
        for number, some in wanted.items():
            by_policy = self._options.staff_cards and any(card.is_users for card in there.get(number, ()))
            if record := now[number] if by_policy else one_stretch(self.said(some), self.now):
                records[number] = record
        if self._seen is not None:
            self._seen.at_odds = frozenset(
                owner
                for owner, numbers in self._seen.usable_cards().items()
                if len({frozenset(now.get(number, {})) for number in numbers}) > 1
            )
        return Encoded(records)

    def read(self) -> Actual:
        with understood():
            self._seen = None
            return Actual(cards=self._known.held(), holds=self._holds())

    def put(self, card: str, record: Record) -> None:
        with understood():
            found = self._only(card)
            if found.is_users:
                self._admit(found.owner, record)
            else:
                self._invite(card, found, record)

    def remove(self, card: str) -> None:
        with understood():
            if card.startswith(LEFTOVER):
                self._assign(card.removeprefix(LEFTOVER), {})
                return
            for found in self._known.cards.get(card, ()):
                if found.is_users:
                    self._assign(found.owner, {})
                elif found.is_visitors and not self._given_away(card, found):
                    self._take(found)
            for visitor in self._known.visitors.get(card, ()):
                self._forget(visitor)

    # Users' cards, by policies ------------------------------------------------------------------------------

    def _admit(self, owner: str, record: Record) -> None:
        user = self._known.users.get(owner)
        if user is None:
            raise Refused(_("The card's user is not among those whom UniFi Access shows: assign the card anew there."))
        if not self._options.staff_cards:
            raise Refused(
                _("In UniFi the card is %(user)s's, and this controller is set to leave users' cards alone.")
                % {"user": user.name}
            )
        if not user.active:
            raise Refused(_("The card's user, %(user)s, is deactivated in UniFi.") % {"user": user.name})
        if owner in self._known.at_odds:
            raise Refused(
                _(
                    "In UniFi %(user)s has %(n)d cards, which open the same doors at all times, and not all of them "
                    "are to open these. Take away the cards that are lost or not in use, there."
                )
                % {"user": user.name, "n": len(self._known.usable_cards()[owner])}
            )
        if any(windows != (ALWAYS,) for windows in record.values()):
            raise Refused(_("A user's access in UniFi has no end: it can't be written ahead of time."))
        self._assign(owner, record)

    def _assign(self, user: str, record: Record) -> None:
        """Give a user our policies of these doors and no others of ours. All others of theirs stay."""
        ours = [self._policy(door) for door in sorted(record)]
        path = f"users/{quote(user, safe='')}/access_policies"
        try:
            # Those of the user's groups are not the user's: writing them down would make them so.
            before = [str(policy["id"]) for policy in self._api.get(path, only_user_policies="true") or []]
        except NotThere:
            if record:
                raise
            return
        after = [*(policy for policy in before if policy not in self._known.policies), *ours]
        if sorted(after) != sorted(before):
            self._api.change("PUT", path, {"access_policy_ids": after})

    def _policy(self, door: int) -> str:
        """The ID of our policy of a door. It is made where there is none, and made anew where somebody changed it."""
        known = self._known.policies
        ours = {policy: sound for policy, (number, sound) in known.items() if number == door}
        for policy, sound in ours.items():
            if sound:
                return policy
        for policy in ours:
            # Whoever has it is in step no more, and gets the new one.
            self._api.change("DELETE", f"access_policies/{quote(policy, safe='')}")
            del known[policy]
        if not self._always:
            raise Refused(_("UniFi Access shows no schedule of its own that admits at all times."))
        body = {
            "name": POLICY + self._door(door),
            "resources": [{"id": self._door(door), "type": "door"}],
            "schedule_id": self._always,
        }
        made = str(self._api.change("POST", "access_policies", body)["id"])
        known[made] = (door, True)
        return made

    # Other cards, by visitors -------------------------------------------------------------------------------

    def _invite(self, number: str, card: Card, record: Record) -> None:
        windows = {window for some in record.values() for window in some}
        if len(windows) != 1:
            raise Refused(_("UniFi Access knows one stretch of time for a visitor."))
        if self._given_away(number, card):
            raise Refused(_("Meanwhile the card was given to a visitor in UniFi Access: take it away from them there."))
        (window,) = windows
        body = {
            # The end is the last second that admits, as in the reference's example.
            "start_time": FIRST if window.start is None else int(window.start.timestamp()),
            "end_time": LAST if window.end is None else int(window.end.timestamp()) - 1,
            "resources": [{"id": self._door(door), "type": "door"} for door in sorted(record)],
        }
        ours = self._known.visitors.get(number, ())
        # The visit of one who has left can't be made to begin again.
        kept = next((v for v in ours if v.live and v.id == card.owner), None) or next((v for v in ours if v.live), None)
        if card.owner and (kept is None or card.owner != kept.id):
            self._take(card)
        for visitor in ours:
            if visitor is not kept:
                self._forget(visitor)
        if kept is not None:
            visitor_id = kept.id
            self._api.change("PUT", f"visitors/{quote(visitor_id, safe='')}", body)
        else:
            body |= {"first_name": VISITOR, "last_name": number, "visit_reason": "Others"}
            visitor_id = str(self._api.change("POST", "visitors", body)["id"])
        if card.owner != visitor_id:
            # Never forced: if the card was given to somebody meanwhile, it is theirs.
            body = {"token": card.token, "force_add": False}
            self._api.change("PUT", f"visitors/{quote(visitor_id, safe='')}/nfc_cards", body)

    def _given_away(self, number: str, card: Card) -> bool:
        """Whether a card that a visitor of ours had is somebody else's visitor's now.

        Where none of ours is there, the portal's staff adopted it: else nobody would ask for it.
        """
        ours = {visitor.id for visitor in self._known.visitors.get(number, ())}
        return card.is_visitors and bool(ours) and card.owner not in ours

    def _take(self, card: Card) -> None:
        """Take a card away from the visitor who has it."""
        try:
            self._api.change("PUT", f"visitors/{quote(card.owner, safe='')}/nfc_cards/delete", {"token": card.token})
        except NotThere:
            return

    def _forget(self, visitor: Visitor) -> None:
        try:
            self._api.change("DELETE", f"visitors/{quote(visitor.id, safe='')}", is_force="true")
        except NotThere:
            return

    # What UniFi shows ---------------------------------------------------------------------------------------

    @property
    def _known(self) -> Seen:
        if self._seen is None:
            self._seen = look(self._api, self._numbers, self._always)
        return self._seen

    @cached_property
    def _always(self) -> str:
        """The ID of UniFi's own schedule that admits at all times; "" where it shows none."""
        schedules = self._api.get("access_policies/schedules") or []
        found = [str(s["id"]) for s in schedules if s["is_default"] and s["type"] == "access"]
        return found[0] if len(found) == 1 else ""

    def _only(self, number: str) -> Card:
        """The card of this number as UniFi knows it. Raises Refused where nobody may be admitted by that."""
        found = self._known.cards.get(number, ())
        if not found:
            raise Refused(_("UniFi Access does not know the card: enrol it there, and give it its number as an alias."))
        if len(found) > 1:
            raise Refused(_("Several cards have this number in UniFi Access: give them different aliases there."))
        if not found[0].usable:
            raise Refused(_("The card is disabled or lost in UniFi Access."))
        return found[0]

    # Doors --------------------------------------------------------------------------------------------------

    def _door(self, number: int) -> str:
        if number not in self._doors:
            raise Refused(_("Door %(n)d has no ID in the controller's list of doors.") % {"n": number})
        return self._doors[number]

    def _rule(self, number: int) -> tuple[str, int]:
        """The order that is on at a door, "" for none, and until when (seconds since 1970)."""
        with understood():
            found = self._api.get(f"doors/{self._door(number)}/lock_rule") or {}
            return str(found.get("type") or ""), int(found.get("ended_time") or 0)

    def _holds(self) -> Record:
        """The doors held unlocked by somebody's order. UniFi's own unlock schedules are none."""
        found: dict[int, Windows] = {}
        for number in self._doors:
            try:
                rule, end = self._rule(number)
            except Refused:
                continue  # a door that is gone, or has no hub; it must not keep the others from being read
            if rule == "keep_unlock":
                found[number] = (ALWAYS,)
            elif rule == "custom":
                found[number] = (Window(None, datetime.fromtimestamp(end, UTC)),)
        return found

    def hold(self, door: int, held: Windows) -> None:
        path, (rule, _end) = f"doors/{self._door(door)}/lock_rule", self._rule(door)
        if held and rule == "keep_lock":
            raise Refused(_("Somebody set the door to stay locked in UniFi Access."))
        if held and rule != "keep_unlock":
            self._api.change("PUT", path, {"type": "keep_unlock"})
        elif not held and rule in ("keep_unlock", "custom"):
            self._api.change("PUT", path, {"type": "reset"})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # For how long is the door's own setting, and there are no keys.
        self._api.change("PUT", f"doors/{self._door(door)}/unlock")

    # Events -------------------------------------------------------------------------------------------------

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        with understood():
            return UnifiLog(self._api, self._numbers, self.now).events(after=after)

    def set_clock(self, moment: datetime) -> None:
        raise Refused(_("The clock of UniFi Access can't be set from here."))

    def close(self) -> None:
        self._api.close()
