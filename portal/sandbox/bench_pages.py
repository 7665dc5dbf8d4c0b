"""The promises of the pages for staff, measured in a big building: time, queries, no COUNT(*) of a big table."""

import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import structlog
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accessmap.api.models import ApiKey, Scope
from accessmap.models import Card, Cardholder, Door
from doorsync.models import Callback
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.sandbox import bench_rows
from portal.sandbox.bench import Figure, at_most, informs

log = structlog.get_logger(__name__)

GOAL_MS = 300
RUNS = 7
SAME_SHAPE = 10  # more statements that differ in their values only are one for each row

# Tables that grow without end.
_BIG = (
    "audit_entry",
    "_event",
    "cardevent",
    "doorsync_callback",
    "doorsync_bookingfetch",
    "doorsync_reconciliation",
    "doorsync_controllercard",
    "visitors_verification",
)
_VALUES = re.compile(r"'(?:[^']|'')*'|\b\d+\b")
_LISTS = re.compile(r"\((?:\?, )+\?\)")


@dataclass(frozen=True, slots=True)
class Page:
    """An address, and the role that opens it."""

    name: str
    url: str
    role: str = roles.ADMINISTRATOR


def measure() -> Iterator[Figure]:
    """Load the building, then open each page in its role."""
    call_command("migrate", verbosity=0)
    begun = time.perf_counter()
    bench_rows.load()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    yield informs("loading it", time.perf_counter() - begun, "s", "bulk SQL; 2,000,000 audit entries")
    clients = {role: _logged_in(role) for role in (roles.FACILITY_STAFF, roles.SECURITY, roles.ADMINISTRATOR)}
    for page in pages():
        yield from _opened(page, clients[page.role])
    yield from _opened(Page("REST: permissions", reverse("api-permissions")), _with_key())


def _logged_in(role: str) -> Client:
    client = Client(SERVER_NAME="localhost")
    user = User.objects.create_user(role.replace(" ", "-"), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def _with_key() -> Client:
    _key, secret = ApiKey.objects.create_key(name="bench", scopes=[Scope.READ_PERMISSIONS])
    return Client(SERVER_NAME="localhost", headers={"authorization": f"Api-Key {secret}"})


def pages() -> Iterator[Page]:
    """The pages that staff open often, and those that read growing tables."""
    staff = roles.FACILITY_STAFF
    yield Page("home", reverse("admin:index"), staff)
    board = reverse("board", args=[1])
    yield Page("door board", board, staff)
    yield Page("door board, its refresh of a floor", f"{board}?floor=12/F", staff)
    yield Page("door board, doors in drift, tomorrow", f"{board}?state=drift&day={_day(1)}", staff)
    for when, hours in (("past", -30), ("present", 0), ("coming", 20)):
        at = (clock.now() + timedelta(hours=hours)).isoformat()
        door = Door.objects.earliest("pk").pk
        yield Page(
            f"explain, {when}",
            f"{reverse('explain')}?{urlencode({'who': 'person8@bench.example', 'door': door, 'at': at})}",
            roles.SECURITY,
        )
    yield Page("coverage", reverse("coverage"), staff)
    yield Page("setup", reverse("setup"))
    yield from _log_pages()
    holder, card = Cardholder.objects.latest("pk").pk, Card.objects.latest("pk").pk
    yield from _lists(
        "accessmap.cardholder", ("", "q=person19", "access_levels__id__exact=3"), change=holder, history=True
    )
    yield from _lists("accessmap.card", ("", "q=C100900", "status__exact=lost"), change=card)
    yield from _lists("accessmap.resource", ("", "policy__id__exact=3"), change=7, history=True)
    yield from _lists("accessmap.door", ("",), change=7)
    yield from _lists("accessmap.controller", ("",), change=7)
    yield from _lists("accessmap.accesspolicy", ("",), change=7)
    yield from _lists("accessmap.mapimport", ("",))
    deep_page = min(90, bench_rows.HISTORY // 200)
    last_call = Callback.objects.latest("pk").pk
    yield from _lists(
        "doorsync.callback",
        ("", "outcome__exact=unreadable", "q=room-7", f"p={deep_page}"),
        change=last_call,
    )
    yield from _lists("doorsync.bookingfetch", ("", "outcome__exact=failed"))
    yield from _lists("doorsync.reconciliation", ("",))
    yield from _lists("doorsync.controllercard", ("", "state__exact=failed", "controller__id__exact=7", "q=C100900"))
    yield from _lists("doorsync.storedbooking", ("", "q=person8"))
    for model in ("resourcesync", "controllersync", "unmanagedcard", "unmappedresource", "notice", "schedulerstate"):
        yield from _lists(f"doorsync.{model}", ("",))
    yield from _lists("visitors.verification", ("", "allowed__exact=0", "q=Visitor 77", f"at__year={_day(0)[:4]}"))
    yield from _lists("visitors.passage", ("",))


def _log_pages() -> Iterator[Page]:
    last = Entry.objects.latest("pk")
    year, month, day = _day(-40).split("-")
    in_month = f"at__year={year}&at__month={int(month)}"
    queries = (
        "",
        f"p={min(50, bench_rows.ENTRIES // 200)}",
        "outcome__exact=done",
        "outcome__exact=pending",
        "action=card.lost",
        "action=door.opened",
        f"at__year={year}",
        in_month,
        f"{in_month}&at__day={int(day)}",
        "q=Person 1234",
        "q=nobody-of-this-name",
        "q=Door",
        f"q=Door&{in_month}",
    )
    yield from _lists("audit.entry", queries, change=last.pk)


def _lists(label: str, queries: tuple[str, ...], *, change: int | None = None, history: bool = False) -> Iterator[Page]:
    name = label.replace(".", "_")
    for query in queries:
        yield Page(f"{label} {query}".strip(), f"{reverse(f'admin:{name}_changelist')}?{query}".rstrip("?"))
    if change is not None:
        yield Page(f"{label}: one", reverse(f"admin:{name}_change", args=[change]))
        if history:
            yield Page(f"{label}: history of one", reverse(f"admin:{name}_history", args=[change]))


def _day(after: int) -> str:
    return (clock.now() + timedelta(days=after)).date().isoformat()


def _opened(page: Page, client: Client) -> Iterator[Figure]:
    """The median time of the page, and the faults of its queries."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(page.url)
    statements = [query["sql"] for query in captured.captured_queries]  # the next request forgets them
    if answer.status_code != 200:
        raise RuntimeError(f"{page.name}: {answer.status_code} {answer.headers.get('Location', '')}")
    took, busy = [], []
    for _run in range(RUNS):
        begun, worked = time.perf_counter(), time.process_time()
        client.get(page.url)
        took.append((time.perf_counter() - begun) * 1000)
        busy.append((time.process_time() - worked) * 1000)
        if took[0] > 5 * GOAL_MS:
            break
    how = f"{len(statements)} queries; worst {max(took):.0f} ms, of Python's own {statistics.median(busy):.0f} ms"
    yield at_most(page.name, round(statistics.median(took)), "ms", GOAL_MS, how)
    for fault, count in faults(statements):
        yield at_most(f"  {fault}", count, "", 0, "must not be")


def faults(statements: list[str]) -> Iterator[tuple[str, int]]:
    """Queries that grow with the rows, and how often: whole tables counted, and one statement per row."""
    for sql in statements:
        if "COUNT(" in sql and "LIMIT" not in sql and "WHERE" not in sql and any(f'{name}"' in sql for name in _BIG):
            yield f"counts a whole table: {sql[:90]}", 1
    shapes = Counter(_LISTS.sub("(?)", _VALUES.sub("?", sql)) for sql in statements)
    for shape, count in shapes.items():
        if count > SAME_SHAPE:
            yield f"one per row: {shape[:90]}", count
