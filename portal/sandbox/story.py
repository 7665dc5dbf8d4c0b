"""The demo's life: bookings come, move and are cancelled, people arrive, and somebody tells what happens."""

import random
import secrets
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import requests
from django.contrib.auth.models import Group, User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rich.console import Console
from rich.table import Table

from accessmap.models import Cardholder, Resource, masked
from doorsync.models import ControllerCard, StoredBooking
from portal import roles
from portal.core import clock
from portal.sandbox.playground import Playground, quiet
from visitors.models import Turnstile, TurnstileKey

PAUSE_SECONDS = (3.0, 7.0)
LOGINS = {
    "facility": roles.FACILITY_STAFF,
    "security": roles.SECURITY,
    "integrator": roles.INTEGRATOR,
    "admin": roles.ADMINISTRATOR,
}
TITLES = (
    "Budget review",
    "Design crit",
    "Interview",
    "Lease talks",
    "One-to-one",
    "Planning",
    "Retrospective",
    "Supplier call",
    "Town hall rehearsal",
    "Workshop",
)


def tell(place: Playground) -> None:
    """Greet, then keep life going until somebody presses Ctrl-C (KeyboardInterrupt)."""
    console = Console(file=sys.stdout, highlight=False)
    _greet(console, place)
    story = Story(place)
    while True:
        time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 (the pace of a story)
        if sentence := story.next():
            now = clock.now().astimezone(place.building.tz)
            console.print(f"[dim]{now:%H:%M:%S}[/dim]  {sentence}", soft_wrap=True)


def _greet(console: Console, place: Playground) -> None:
    table = Table(title=_("Logins of this demo"), title_justify="left", box=None, padding=(0, 3, 0, 0))
    for heading in (_("role"), _("user"), _("password")):
        table.add_column(heading)
    for name, role in LOGINS.items():
        password = secrets.token_urlsafe(9)
        user = User.objects.create_user(name, password=password, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        table.add_row(_(role), name, password)
    console.print()
    console.print(_("%(site)s is at work.") % {"site": f"[bold]{place.building.site.name}[/bold]"})
    console.print(_("The portal: %(url)s") % {"url": f"[bold]{place.portal_url}/admin/[/bold]"})
    console.print()
    console.print(table)
    console.print()
    console.print(_("Ctrl-C stops everything. Until then:"))
    console.print()


class Story:
    """Makes one thing happen at a time, sees it arrive at the doors, and puts it into a sentence."""

    def __init__(self, place: Playground) -> None:
        self._place = place
        self._zone = place.building.tz
        # Nothing here needs chance that cannot be guessed.
        self._chance = random.Random()  # noqa: S311
        self._made = 0
        self._people = list(
            Cardholder.objects.filter(cards__status="active").exclude(email="").distinct().order_by("pk")
        )
        rooms = Resource.objects.filter(doors__isnull=False).select_related("policy")
        self._rooms = list(rooms.distinct().order_by("pk"))
        # Offision is told who came and went, so that who shows a code again is known for inside, or gone.
        Turnstile.objects.update(updates_visit_status=True)
        self._gates = [
            (gate, TurnstileKey.objects.create_key(name="demo", turnstile=gate)[1])
            for gate in Turnstile.objects.order_by("pk")
        ]

    def next(self) -> str:
        """Make something happen; what there is to say about it, or "" where nothing came of it."""
        acts: list[Callable[[], str]] = [self._book, self._move, self._cancel, self._arrive, self._arrive]
        acts += [self._visitor, self._visitor] if self._gates and self._place.building.visits else []
        return self._chance.choice(acts)()

    def _book(self) -> str:
        room = self._chance.choice(self._rooms)
        start = self._slot(room)
        if start is None:
            return ""
        organizer, *guests = self._chance.sample(self._people, k=min(len(self._people), 5))
        self._made += 1
        booking = {
            "id": f"demo-{self._made}",
            "resource": room.external_id,
            "title": self._chance.choice(TITLES),
            "start": self._local(start),
            "end": self._local(start + timedelta(hours=1)),
            "status": "confirmed",
            "organizer": organizer.email,
            "attendees": [guest.email for guest in guests],
        }
        took = self._change({"create": booking})
        return _("%(room)s: %(who)s has booked %(time)s for “%(title)s”%(doors)s") % {
            "room": room.name,
            "who": organizer.name,
            "time": self._clock(start),
            "title": booking["title"],
            "doors": self._doors(room, str(booking["id"]), start, took),
        }

    def _move(self) -> str:
        booking = self._coming()
        if booking is None:
            return ""
        start = self._slot(booking.resource)
        if start is None:
            return ""
        length = booking.ends_at - booking.starts_at
        took = self._change(
            {
                "update": booking.external_id,
                "set": {"start": self._local(start), "end": self._local(start + length)},
            }
        )
        return _("%(room)s: %(who)s's “%(title)s” has moved from %(before)s to %(after)s%(doors)s") % {
            **self._of(booking),
            "before": self._clock(booking.starts_at),
            "after": self._clock(start),
            "doors": self._doors(booking.resource, booking.external_id, start, took),
        }

    def _cancel(self) -> str:
        booking = self._coming()
        if booking is None:
            return ""
        before = self._cards(booking.external_id)
        took = self._change({"update": booking.external_id, "set": {"status": "cancelled"}})
        words = {**self._of(booking), "time": self._clock(booking.starts_at), "n": before, "took": took}
        if booking.resource.policy.admit_anyone:
            sentence = _(
                "%(room)s: %(who)s has cancelled “%(title)s”; the door stays locked at %(time)s (%(took).1f s)"
            )
        else:
            sentence = ngettext(
                "%(room)s: %(who)s has cancelled “%(title)s” at %(time)s; %(n)d card lost that access (%(took).1f s)",
                "%(room)s: %(who)s has cancelled “%(title)s” at %(time)s; %(n)d cards lost that access (%(took).1f s)",
                before,
            )
        return sentence % words

    def _arrive(self) -> str:
        """Somebody holds a card to a reader: mostly one who may pass, now and then one who may not."""
        row = ControllerCard.objects.order_by("?").select_related("controller").first()
        if row is None:
            return ""
        numbers = dict(row.controller.doors.values_list("number", "name"))
        now = clock.now()
        open_to = [int(door) for door, held in row.desired.items() if any(_covers(w, now) for w in held)]
        number = self._chance.choice(open_to or list(numbers))
        answer = self._place.controller(row.controller.name, "swipe", {"door": number, "card": row.number})
        holder = Cardholder.objects.filter(cards__number=row.number).first()
        who = holder.name if holder else masked(row.number)
        if answer["opened"]:
            return _("%(door)s: opens for %(who)s") % {"door": numbers[number], "who": who}
        return _("%(door)s: stays shut for %(who)s, who has no booking there now") % {
            "door": numbers[number],
            "who": who,
        }

    def _visitor(self) -> str:
        """A visitor shows the QR code at a turnstile."""
        visit = self._chance.choice(self._place.building.visits)
        gate, key = self._chance.choice(self._gates)
        response = requests.post(
            f"{self._place.portal_url}/api/visitors/verify",
            json={"code": visit.code, "direction": gate.direction if gate.direction != "both" else "in"},
            headers={"Authorization": f"Api-Key {key}"},
            timeout=10,
        )
        words = {"gate": gate.name, "who": f"{visit.name} ({visit.company})" if visit.company else visit.name}
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # Somebody who looks about in the demo's admin has made a new key, or entered a source address.
            return _("%(gate)s: stays shut for %(who)s; the portal does not know its scanner any more") % words
        answer = response.json()
        words["why"] = answer["reason"]
        if answer["decision"] == "allow":
            return _("%(gate)s: %(who)s shows a QR code and passes") % words
        return _("%(gate)s: %(who)s shows a QR code and is turned away (%(why)s)") % words

    def _change(self, change: dict[str, Any]) -> float:
        """Make the change at Offision; seconds until the doors had it."""
        begun = time.monotonic()
        self._place.offision("change", change)
        # The call back comes after the change itself: first somebody must ask, then all must be quiet.
        self._place.wait_until(_("The change"), lambda: not quiet() or time.monotonic() - begun > 1)
        self._place.wait_until(_("The change"), quiet)
        return time.monotonic() - begun

    def _coming(self) -> StoredBooking | None:
        soon = StoredBooking.objects.filter(
            starts_at__gt=clock.now() + timedelta(minutes=20), status="confirmed", resource__in=self._rooms
        )
        return soon.select_related("resource__policy").order_by("?").first()

    def _slot(self, room: Resource) -> datetime | None:
        """The start of a free hour in a room within the next hours, on the quarter."""
        now = clock.now().replace(second=0, microsecond=0)
        first = now + timedelta(minutes=15 - now.minute % 15)
        for step in self._chance.sample(range(32), k=32):
            start = first + timedelta(minutes=15 * step)
            taken = StoredBooking.objects.filter(
                resource=room, starts_at__lt=start + timedelta(hours=2), ends_at__gt=start
            ).exclude(status="cancelled")
            if not taken.exists():
                return start
        return None

    def _cards(self, booking_id: str) -> int:
        """How many cards a booking lets in at the doors."""
        cause = f"booking:{booking_id}"
        return len(
            {
                number
                for number, desired in ControllerCard.objects.values_list("number", "desired")
                if any(cause in causes for held in desired.values() for _start, _end, causes in held)
            }
        )

    def _doors(self, room: Resource, booking_id: str, start: datetime, took: float) -> str:
        if room.policy.admit_anyone:
            return _("; door stands open to anyone from %(time)s (%(took).1f s)") % {
                "time": self._clock(start),
                "took": took,
            }
        count = self._cards(booking_id)
        opens = start - timedelta(minutes=room.policy.lead_minutes)
        return ngettext(
            "; door opens for %(n)d card at %(time)s (%(took).1f s)",
            "; door opens for %(n)d cards at %(time)s (%(took).1f s)",
            count,
        ) % {"n": count, "time": self._clock(opens), "took": took}

    def _of(self, booking: StoredBooking) -> dict[str, str]:
        return {
            "room": booking.resource.name,
            "who": booking.organizer_name or booking.organizer_email,
            "title": booking.title,
        }

    def _clock(self, moment: datetime) -> str:
        local = moment.astimezone(self._zone)
        tomorrow = local.date() > clock.now().astimezone(self._zone).date()
        return _("%(time)s tomorrow") % {"time": f"{local:%H:%M}"} if tomorrow else f"{local:%H:%M}"

    def _local(self, moment: datetime) -> str:
        """A moment in the building file's words."""
        local = moment.astimezone(self._zone)
        return f"{(local.date() - self._place.today).days:+d}d {local:%H:%M}"


def _covers(held: list[Any], now: datetime) -> bool:
    start, end, _causes = held
    return (start is None or datetime.fromisoformat(start) <= now) and (
        end is None or now < datetime.fromisoformat(end)
    )
