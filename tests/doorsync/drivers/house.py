"""One controller, two rooms and three people, and what each card is entitled to by its own simple definition."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    Membership,
    PolicyAlways,
    Resource,
    ResourceDoor,
    Site,
)
from doorsync.controllers import reconcile
from doorsync.drivers import driver_class
from doorsync.models import ControllerSync, StoredBooking
from doorsync.work import queue, scheduler
from portal.core import clock
from tests.doorsync.drivers.peer import Fault, Peer

SHORTEST_TIMEOUT = 0.05  # seconds; the least that every driver takes


class House:
    """Ann and Bob are invited by bookings; Fay may always enter the room. The room lies behind the first door."""

    def __init__(self, peer: Peer, zone: str) -> None:
        self.peer = peer
        site = Site.objects.create(name="House", time_zone=zone)
        level = AccessLevel.objects.create(name="facilities")
        self.ann, self.bob, self.fay = peer.cards
        for name, number in (("ann", self.ann), ("bob", self.bob), ("fay", self.fay)):
            person = Cardholder.objects.create(name=name.title(), email=f"{name}@house.example")
            Card.objects.create(cardholder=person, number=number)
        Membership.objects.create(cardholder=person, access_level=level)
        options = peer.start()
        self._timeout = options["timeout_seconds"]
        self.controller = Controller(site=site, name="box", driver=peer.driver)
        fields = driver_class(peer.driver).Options.model_fields
        self.controller.set_options(options, secret=[n for n, f in fields.items() if f.annotation is SecretStr])
        self.controller.save()
        policy = AccessPolicy.objects.create(name="staff", lead_minutes=0, grace_minutes=0)
        anyone = AccessPolicy.objects.create(
            name="open", admit_organizer=False, admit_attendees=False, admit_anyone=True, lead_minutes=0
        )
        PolicyAlways.objects.create(policy=policy, access_level=level)
        doors = [Door.objects.create(controller=self.controller, number=n, name=f"Door {n}") for n in peer.doors]
        self.door = doors[0]
        self._rooms = {}
        for name, door, rule in (("room", doors[0], policy), ("hall", doors[-1], anyone), ("den", doors[-1], policy)):
            if not peer.holds_cards and rule is policy:
                continue
            self._rooms[name] = Resource.objects.create(site=site, external_id=name, name=name, policy=rule)
            ResourceDoor.objects.create(resource=self._rooms[name], door=door)
        if len(doors) == 1 and peer.holds_cards:
            del self._rooms["den"]
            Resource.objects.filter(external_id="den").delete()
        # What `entitled` needs of the map, which no test changes.
        self._emails = {self.ann: "ann@house.example", self.bob: "bob@house.example", self.fay: "fay@house.example"}
        behind = {"room": doors[0].number, "hall": doors[-1].number, "den": doors[-1].number}
        self._rooms_behind = {d: {name for name in self._rooms if behind[name] == d} - {"hall"} for d in peer.doors}
        scheduler.tick()

    # Bookings ---------------------------------------------------------------------------------------------

    def book(
        self, name: str, start: datetime, end: datetime, *, who: Iterable[str] = ("ann", "bob"), **more: Any
    ) -> None:
        StoredBooking.objects.create(
            resource=self._rooms[more.get("room", "room")],
            external_id=name,
            starts_at=start,
            ends_at=end,
            status="confirmed",
            attendee_emails=[f"{person}@house.example" for person in who],
            fetched_at=clock.now(),
        )

    def move(self, name: str, **changes: Any) -> None:
        StoredBooking.objects.filter(external_id=name).update(**changes)

    def cancel(self, name: str) -> None:
        StoredBooking.objects.filter(external_id=name).delete()

    def entitled(self, moment: datetime) -> dict[tuple[str, int], bool]:
        """Whether each card may pass each door at this moment, by the bookings as they stand."""
        current = StoredBooking.objects.filter(starts_at__lte=moment, ends_at__gt=moment)
        admitted = {
            (email, name)
            for name, emails in current.values_list("resource__external_id", "attendee_emails")
            for email in emails
        }
        return {
            (card, door): bool(rooms)
            and (card == self.fay or any((self._emails[card], room) in admitted for room in rooms))
            for card in self.peer.cards
            for door, rooms in self._rooms_behind.items()
        }

    # Trouble ----------------------------------------------------------------------------------------------

    def set_fault(self, fault: Fault | None) -> None:
        """Give the device this fault; None: none. While it is silent, a short time-out is as good as a long one."""
        self.peer.set_fault(fault)
        seconds = SHORTEST_TIMEOUT if fault is Fault.SILENT else self._timeout
        self.controller.options = {**self.controller.options, "timeout_seconds": seconds}
        self.controller.save()

    # The portal's work ------------------------------------------------------------------------------------

    @property
    def sync(self) -> ControllerSync:
        return ControllerSync.objects.get(controller=self.controller)

    def work(self) -> Any:
        """Ask for the controller and reconcile it, once."""
        queue.enqueue_now(ControllerSync.objects.filter(controller=self.controller))
        return reconcile.reconcile_controller(self.controller.pk)

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """At this moment, with the portal up: it has done what was due by then."""
        with clock.stopped_at(moment):
            scheduler.tick()
            reconcile.reconcile_controller(self.controller.pk)
            yield

    def check(self, moments: Iterable[datetime]) -> None:
        """The device opens for those who are entitled, and for nobody else, at each of these moments, the portal up."""
        for moment in moments:
            with self.at(moment):
                self.check_now()

    def check_now(self) -> None:
        moment = clock.now()
        for (card, door), entitled in self.entitled(moment).items():
            assert self.peer.opens(card, door) == entitled, (card, door, moment)


def around(*edges: datetime, step: timedelta = timedelta(minutes=1)) -> list[datetime]:
    """The moments just before, at and just after each of these, in order, each once."""
    return sorted({edge + n * step for edge in edges for n in (-1, 0, 1)})
