"""The right result of a building file, computed the long way: minute by minute, from the file itself.

It shares nothing with the portal: no planning, no merging, no models. A booking admits at a minute that lies within it.
"""

import copy
import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def moment(text, today, zone):
    """A building file's time, such as "+1d 09:30", as an aware moment."""
    days, hours, minutes = re.fullmatch(r"([+-]\d+)d (\d\d):(\d\d)", text).groups()
    day = today + timedelta(days=int(days))
    return datetime.combine(day, time(int(hours), int(minutes)), zone).astimezone(UTC)


def same(email):
    return email.strip().lower()


def bookings_in_the_end(building):
    """The bookings after every change, including those without a callback."""
    present = {booking["id"]: copy.deepcopy(booking) for booking in building.get("bookings", [])}
    for change in building.get("changes", []):
        if "create" in change:
            present[change["create"]["id"]] = copy.deepcopy(change["create"])
        elif "update" in change:
            present[change["update"]].update(change["set"])
        else:
            del present[change["delete"]]
    return list(present.values())


class Oracle:
    """Answers for one building on one day."""

    def __init__(self, building, today):
        self.building = building
        self.today = today
        self.zone = ZoneInfo(building["site"]["timezone"])
        self.bookings = bookings_in_the_end(building)
        self.policies = {policy["name"]: policy for policy in building.get("policies", [])}
        self.resources = {resource["id"]: resource for resource in building.get("resources", [])}
        self.people = building.get("cardholders", [])
        self.doors = [door["name"] for box in building.get("controllers", []) for door in box["doors"]]
        self.cards = [card["number"] for person in self.people for card in person["cards"]]
        # Sets of minutes since 1970: every minute of two days is compared.
        self._admitted = {(door, card): set() for door in self.doors for card in self.cards}
        self._always = dict.fromkeys(self._admitted, False)
        self._unlocked = {door: set() for door in self.doors}
        self.unmapped_emails = set()
        self.unmapped_resources = {r["id"] for r in self.resources.values() if not r.get("doors")}
        self._work_out()

    def admitted(self, door, card, minutes):
        """Those of the minutes in which a card may pass a door."""
        if self._always.get((door, card), False):
            return minutes
        return minutes & self._admitted.get((door, card), set())

    def unlocked(self, door, minutes):
        """Those of the minutes in which a door is held unlocked."""
        return minutes & self._unlocked[door]

    def _cards_of(self, person):
        return [card["number"] for card in person["cards"] if card.get("status", "active") == "active"]

    def _cards_in(self, level):
        return [c for p in self.people if level in p.get("access_levels", []) for c in self._cards_of(p)]

    def _work_out(self):
        for resource in self.resources.values():
            for level in self.policies[resource["policy"]].get("always", []):
                for door in resource.get("doors", []):
                    for card in self._cards_in(level):
                        self._always[door, card] = True
        for booking in self.bookings:
            resource = self.resources.get(booking["resource"])
            if resource is None:
                self.unmapped_resources.add(booking["resource"])
                continue
            self._admit(booking, resource, self.policies[resource["policy"]])

    def _admit(self, booking, resource, policy):
        start = moment(booking["start"], self.today, self.zone)
        end = moment(booking["end"], self.today, self.zone)
        statuses = policy.get("statuses", ["confirmed", "checked_in"])
        if booking.get("status", "confirmed") not in statuses or end <= start or not resource.get("doors"):
            return
        emails = []
        if "organizer" in policy.get("admit", []):
            emails.append(booking.get("organizer", ""))
        if "attendees" in policy.get("admit", []):
            emails += booking.get("attendees", [])
        cards = [card for level in policy.get("admit_access_levels", []) for card in self._cards_in(level)]
        for email in emails:
            cards_of_email = [
                card
                for person in self.people
                if same(email) and same(person.get("email", "")) == same(email)
                for card in self._cards_of(person)
            ]
            if not cards_of_email:
                self.unmapped_emails.add(same(email))
            cards += cards_of_email
        first = start - timedelta(minutes=policy.get("lead_minutes", 0))
        last = end + timedelta(minutes=policy.get("grace_minutes", 0))
        for door in resource["doors"]:
            for card in cards:
                self._admitted[door, card].update(_minutes(first, last))
            if "anyone" in policy.get("admit", []):
                self._unlocked[door].update(_minutes(start, end))


def _minute(when):
    return int(when.timestamp()) // 60


def _minutes(start, end):
    return range(_minute(start), _minute(end))


def minutes_to_check(finished_at, today, zone):
    """Each whole minute from the next one after `finished_at` until the end of tomorrow, site time."""
    end = datetime.combine(today + timedelta(days=2), time(), zone).astimezone(UTC)
    return set(range(_minute(finished_at) + 1, _minute(end)))


def held(windows, minutes):
    """Those of the minutes at whose beginning one of the [from, until] pairs of ISO texts (None: unbounded) holds."""
    return {
        minute
        for start, end in windows
        for minute in range(
            min(minutes) if start is None else _first_minute(start),
            max(minutes) + 1 if end is None else _first_minute(end),
        )
    } & minutes


def _first_minute(text):
    """The first whole minute that is not before a moment."""
    return -int(-datetime.fromisoformat(text).timestamp() // 60)
