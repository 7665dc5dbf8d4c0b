"""A UniFi Access console of our own, written from Ubiquiti's API reference (1.9.1 to 4.0.10), over TLS.

It says no to what the reference does not allow, and says it inside of HTTP 200. What the reference leaves open is done
the harder way: a visitor's doors come back as a group of their own that no list shows, an end is the last second that
admits, a visit that is over never begins again, times in the log are whole seconds, a card's NFC ID is only in the log.
"""

import hashlib
import json
import re
import ssl
import threading
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.doorsync.drivers.peer import Fault, Peer

TOKEN = "wHFmHRuX4I7sB2oDkD6wHg"
AUTHORITY = trustme.CA()
ALWAYS = "73facd6c-839e-4521-a4f4-c07e1d44e748"
OFFICE = "58c0f89b-f35c-4d2c-af7b-8b8918df2c31"
BUILDING = "d5573467-d6b3-4e8f-8e48-8a322b91664a"
DOORS = (
    "6ff875d2-af87-470b-9cb5-774c6596afc8",
    "0ed545f8-2fcd-4839-9021-b39e707f6aa9",
    "5785e97b-6123-4596-ba49-b6e51164db9b",  # not one of the portal's
)
HUBS = ("7483c2773855", "58d61f25c2d5", "e4388384236b")
REASONS = ("Interview", "Business", "Cooperation", "Others")
STATUSES = {1: "UPCOMING", 2: "VISITED", 3: "VISITING", 4: "CANCELLED", 5: "NO_VISIT", 6: "ACTIVE"}


class No(Exception):
    """The console says no."""

    def __init__(self, code: str, message: str = "no") -> None:
        super().__init__(code)
        self.code, self.message = code, message


def need(condition: object, code: str = "CODE_PARAMS_INVALID") -> None:
    if not condition:
        raise No(code)


class Unifi(Peer):
    """Ann's and Fay's cards are those of users, Bob's is nobody's."""

    driver = "unifi"
    can_be_full = False
    has_clock = False
    staff_cards: ClassVar[bool] = True
    staff: ClassVar[tuple[str, ...]] = ("1001", "1003")

    def start(self) -> dict[str, Any]:
        self.largest_page = 100
        self.requests: list[tuple[str, str, bytes]] = []
        self.log: list[dict[str, Any]] = []
        self.rules: dict[str, str] = {}
        self.cards_there: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self._lock, self._changes = threading.RLock(), 0
        self._fault: Fault | None = None
        self._released = threading.Event()
        self._pulses: list[str] = []
        self.clear()
        for number in (*self.cards, *map(str, range(50_000, 50_100))):
            self.enrol(number, alias=number == "1002")
        for number in self.staff:
            user = self.add_user(f"User{number}", "X")
            self.bind(number, user)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.request_queue_size = 64
        self._server.server_bind()
        self._server.server_activate()
        certificate = AUTHORITY.issue_cert("unifi.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        shown = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
        return {
            "url": f"https://127.0.0.1:{self._server.server_port}",
            "token": TOKEN,
            "fingerprint": hashlib.sha256(shown).hexdigest(),
            "doors": ", ".join(DOORS[:2]),
            "staff_cards": self.staff_cards,
            "timeout_seconds": 1,
        }

    def stop(self) -> None:
        self.set_fault(None)
        self._server.shutdown()
        self._server.server_close()

    # The house's own people at work in UniFi -----------------------------------------------------------------

    def clear(self) -> None:
        """As a console is that was set up anew, or from an old backup; cards and users as they are."""
        default = {"name": "Default", "resources": [("door", DOORS[2])], "schedule_id": OFFICE}
        self.policies: dict[str, dict[str, Any]] = {"edbc80df": default, "of-the-group": default}
        self.visitors: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, list[str]] = {BUILDING: list(DOORS)}
        for user in self.users.values():
            user["policies"] = ["edbc80df"]
        for card in self.cards_there.values():
            if card["kind"] == "VISITOR":
                card.update(owner="", kind="", status="pending")

    def enrol(self, number: str, *, alias: bool = False) -> None:
        token = hashlib.sha256(number.encode()).hexdigest()
        self.cards_there[token] = {
            "alias": number if alias else "",
            "display_id": f"9{number}" if alias else number,
            "uid": f"04{int(number):06X}",
            "status": "pending",
            "owner": "",
            "kind": "",
        }

    def add_user(self, first: str, last: str) -> str:
        user = str(uuid.uuid4())
        self.users[user] = {"first_name": first, "last_name": last, "status": "ACTIVE", "policies": ["edbc80df"]}
        return user

    def bind(self, number: str, user: str) -> None:
        self.card(number).update(owner=user, kind="USER", status="assigned")

    def card(self, number: str) -> dict[str, Any]:
        return next(c for c in self.cards_there.values() if number in (c["alias"], c["display_id"]))

    def user(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self.users[self.card(number)["owner"]]
        return found

    def put_foreign(self, card: str) -> None:
        """Somebody gives a user the portal's own policy by hand."""
        self.policies["by-hand"] = {
            "name": f"Offision door {DOORS[0]}",
            "resources": [("door", DOORS[0])],
            "schedule_id": ALWAYS,
        }
        self.user(card)["policies"].append("by-hand")

    # The device ---------------------------------------------------------------------------------------------

    def opens(self, card: str, door: int) -> bool:
        with self._lock:
            found = [c for c in self.cards_there.values() if card in (c["alias"], c["display_id"])]
            return any(self._admits(c, DOORS[door - 1]) for c in found)

    def _admits(self, card: dict[str, Any], door: str) -> bool:
        if card["status"] != "assigned":
            return False
        if card["kind"] == "VISITOR":
            visitor = self.visitors[card["owner"]]
            moment = int(self.now().timestamp())
            ours = visitor["start_time"] <= moment <= visitor["end_time"] and self._status(visitor) == "ACTIVE"
            return ours and self._reaches(visitor["resources"], door)
        user = self.users[card["owner"]]
        policies = [self.policies[policy] for policy in user["policies"]]
        return user["status"] == "ACTIVE" and any(
            policy["schedule_id"] == ALWAYS and self._reaches(policy["resources"], door) for policy in policies
        )

    def _reaches(self, resources: list[tuple[str, str]], door: str) -> bool:
        return any(door == name if kind == "door" else door in self.groups[name] for kind, name in resources)

    def _status(self, visitor: dict[str, Any]) -> str:
        moment = int(self.now().timestamp())
        if visitor["cancelled"]:
            return "CANCELLED"
        if visitor["over"] or moment > visitor["end_time"]:
            return "VISITED"
        return "UPCOMING" if moment < visitor["start_time"] else "ACTIVE"

    def inside(self) -> Collection[str]:
        with self._lock:
            return [
                card["alias"] or card["display_id"]
                for card in self.cards_there.values()
                if card["kind"] == "VISITOR"
                or (card["kind"] == "USER" and self.users[card["owner"]]["policies"] != ["edbc80df"])
            ]

    def forget(self) -> None:
        with self._lock:
            self.clear()

    def held_unlocked(self, door: int) -> bool:
        return self.rules.get(DOORS[door - 1]) == "keep_unlock"

    def pulses(self, door: int) -> int:
        return self._pulses.count(DOORS[door - 1])

    @property
    def changes_asked(self) -> int:
        return self._changes

    def present(self, card: str, door: int) -> None:
        known = [c for c in self.cards_there.values() if card in (c["alias"], c["display_id"])]
        opened = self.opens(card, door)
        owner = known[0]["owner"] if known else ""
        person = self.users.get(owner) or self.visitors.get(owner)
        # A card that it does not know is told by its hub alone, as in the reference's example.
        targets = [{"type": "UAH", "id": HUBS[door - 1], "display_name": "UA-HUB"}]
        if known:
            targets.append({"type": "door", "id": DOORS[door - 1], "display_name": "Door"})
        self.note(
            actor={
                "id": owner,
                "type": "user",
                "display_name": f"{person['first_name']} {person['last_name']}" if person else "N/A",
            },
            authentication={"credential_provider": "NFC", "issuer": known[0]["uid"] if known else card},
            result="ACCESS" if opened else "BLOCKED",
            target=targets,
        )

    def note(self, *, result: str, target: list[dict[str, Any]], **more: Any) -> None:
        """Write something into the log."""
        self.log.append(
            {
                **more,
                "event": {
                    "display_message": "Access",
                    "published": int(self.now().timestamp()) * 1000,
                    "reason": "",
                    "result": result,
                    "type": "access.door.unlock",
                },
                "target": target,
            }
        )

    # The wire -----------------------------------------------------------------------------------------------

    def set_fault(self, fault: Fault | None) -> None:
        self._released.set()
        self._released, self._fault = threading.Event(), fault

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece

            def date_time_string(self, timestamp: Any = None) -> str:
                return format_datetime(peer.now(), usegmt=True)

            def log_message(self, *_arguments: Any) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def _do(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = peer.answer(self.command, self.path, self.headers.get("Authorization", ""), content)
                if answer is None:
                    self.close_connection = True
                    return
                sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_PUT = do_POST = do_DELETE = _do  # noqa: N815 - the base class's names

        return Handler

    def answer(self, method: str, target: str, authorization: str, content: bytes) -> Any:
        """The envelope; None: none, and the connection is closed."""
        path = urlsplit(target).path.removeprefix("/api/v1/developer/")
        changes = method != "GET" and path != "system/logs"
        with self._lock:
            self.requests.append((method, target, content))
            self._changes += changes
            fault, released = self._fault, self._released
        if fault == Fault.SILENT:
            released.wait()
            return None
        if authorization != f"Bearer {TOKEN}":
            return {"code": "CODE_ACCESS_TOKEN_INVALID", "msg": "invalid access token"}
        if changes and fault == Fault.REFUSES:
            return {"code": "CODE_OPERATION_FORBIDDEN", "msg": "The requested operation is not allowed."}
        try:
            with self._lock:
                answer = self._route(method, path, target, content)
        except No as no:
            return {"code": no.code, "msg": no.message}
        if changes and fault == Fault.ANSWERS_LOST:
            return None
        return {"code": "SUCCESS", "msg": "success", **answer}

    def _route(self, method: str, path: str, target: str, content: bytes) -> dict[str, Any]:
        query = parse_qs(urlsplit(target).query, keep_blank_values=True)
        body = json.loads(content) if content else None
        for wanted, pattern, work in self._table():
            if wanted == method and (match := re.fullmatch(pattern, path)):
                return work(*match.groups(), query, body)
        # The console's own way to say so.
        return {"code": 404, "codeS": "CODE_NOT_FOUND", "msg": "not found"}

    def _table(self) -> list[tuple[str, str, Callable[..., dict[str, Any]]]]:
        each = "([^/]+)"
        return [
            ("GET", "doors", self._get_doors),
            ("GET", "devices", self._get_devices),
            ("GET", "door_groups/topology", self._get_topology),
            ("GET", f"door_groups/{each}", self._get_group),
            ("GET", f"doors/{each}/lock_rule", self._get_rule),
            ("PUT", f"doors/{each}/lock_rule", self._put_rule),
            ("PUT", f"doors/{each}/unlock", self._unlock),
            ("GET", "access_policies", self._get_policies),
            ("POST", "access_policies", self._post_policy),
            ("DELETE", f"access_policies/{each}", self._delete_policy),
            ("GET", "access_policies/schedules", self._get_schedules),
            ("GET", "users", self._get_users),
            ("GET", f"users/{each}/access_policies", self._get_users_policies),
            ("PUT", f"users/{each}/access_policies", self._put_users_policies),
            ("GET", "credentials/nfc_cards/tokens", self._get_cards),
            ("GET", "visitors", self._get_visitors),
            ("POST", "visitors", self._post_visitor),
            ("PUT", f"visitors/{each}", self._put_visitor),
            ("DELETE", f"visitors/{each}", self._delete_visitor),
            ("PUT", f"visitors/{each}/nfc_cards", self._bind),
            ("PUT", f"visitors/{each}/nfc_cards/delete", self._unbind),
            ("POST", "system/logs", self._logs),
        ]

    def _page(self, rows: list[Any], query: dict[str, list[str]]) -> dict[str, Any]:
        size = min(int(query.get("page_size", ["100"])[0]), self.largest_page)
        page = int(query.get("page_num", ["1"])[0])
        need(size > 0 and page > 0)
        shown = rows[(page - 1) * size : page * size]
        return {"data": shown, "pagination": {"page_num": page, "page_size": size, "total": len(rows)}}

    # Doors

    def _get_doors(self, _query: Any, _body: Any) -> dict[str, Any]:
        return {"data": [{"id": door, "name": f"Door {n}", "type": "door"} for n, door in enumerate(DOORS, 1)]}

    def _get_devices(self, _query: Any, _body: Any) -> dict[str, Any]:
        pairs = zip(HUBS, DOORS, strict=True)
        return {"data": [[{"id": hub, "location_id": door, "type": "UAH"}] for hub, door in pairs]}

    def _get_topology(self, _query: Any, _body: Any) -> dict[str, Any]:
        doors = [{"id": door, "type": "door", "name": "x", "is_bind_hub": True} for door in DOORS]
        floor = {"id": "9bee6e0e", "type": "floor", "name": "Main Floor", "resources": doors}
        return {"data": [{"id": BUILDING, "name": "All Doors", "type": "building", "resource_topologies": [floor]}]}

    def _get_group(self, group: str, _query: Any, _body: Any) -> dict[str, Any]:
        need(group in self.groups, "CODE_RESOURCE_NOT_FOUND")
        doors = [{"id": door, "type": "door", "name": "x"} for door in self.groups[group]]
        return {"data": {"id": group, "name": "x", "resources": doors, "type": "access"}}

    def _get_rule(self, door: str, _query: Any, _body: Any) -> dict[str, Any]:
        need(door in DOORS, "CODE_RESOURCE_NOT_FOUND")
        return {"data": {"type": self.rules.get(door, ""), "ended_time": 3602128309 if door in self.rules else 0}}

    def _put_rule(self, door: str, _query: Any, body: Any) -> dict[str, Any]:
        need(door in DOORS, "CODE_RESOURCE_NOT_FOUND")
        kinds = ("keep_lock", "keep_unlock", "custom", "reset", "lock_early", "lock_now")
        need(body["type"] in kinds and ("interval" in body) == (body["type"] == "custom"))
        if body["type"] == "reset":
            self.rules.pop(door, None)
        else:
            self.rules[door] = body["type"]
        return {"data": "success"}

    def _unlock(self, door: str, _query: Any, body: Any) -> dict[str, Any]:
        need(door in DOORS, "CODE_RESOURCE_NOT_FOUND")
        need(not body or {"actor_id", "actor_name"} <= body.keys() <= {"actor_id", "actor_name", "extra"})
        self._pulses.append(door)
        return {"data": "success"}

    # Policies and users

    def _shown_policy(self, policy: str) -> dict[str, Any]:
        found = self.policies[policy]
        resources = [{"id": name, "type": kind} for kind, name in found["resources"]]
        return {"id": policy, "name": found["name"], "resources": resources, "schedule_id": found["schedule_id"]}

    def _get_policies(self, _query: Any, _body: Any) -> dict[str, Any]:
        return {"data": [self._shown_policy(policy) for policy in self.policies]}

    def _resources(self, given: Any) -> list[tuple[str, str]]:
        found = [(entry["type"], entry["id"]) for entry in given]
        for kind, name in found:
            need((kind == "door" and name in DOORS) or (kind == "door_group" and name in self.groups))
        return found

    def _post_policy(self, _query: Any, body: Any) -> dict[str, Any]:
        need({"name", "schedule_id"} <= body.keys() <= {"name", "schedule_id", "resources"} and body["name"])
        need(body["schedule_id"] in (ALWAYS, OFFICE), "CODE_ACCESS_POLICY_SCHEDULE_NOT_FOUND")
        policy = str(uuid.uuid4())
        self.policies[policy] = {**body, "resources": self._resources(body.get("resources", []))}
        return {"data": self._shown_policy(policy)}

    def _delete_policy(self, policy: str, _query: Any, _body: Any) -> dict[str, Any]:
        need(policy in self.policies, "CODE_NOT_EXISTS")
        del self.policies[policy]
        for user in self.users.values():
            user["policies"] = [found for found in user["policies"] if found != policy]
        return {"data": "success"}

    def _get_schedules(self, _query: Any, _body: Any) -> dict[str, Any]:
        shown = [(ALWAYS, "Always Access", True), (OFFICE, "Office", False)]
        rows = [{"id": n, "name": name, "is_default": default, "type": "access"} for n, name, default in shown]
        return {"code": "SUCCEED", "data": rows}  # as the reference spells it there

    def _get_users(self, query: Any, _body: Any) -> dict[str, Any]:
        need(query.get("expand[]", []) in ([], ["access_policy"]))
        rows = []
        for name, user in self.users.items():
            cards = [
                {"id": card["display_id"], "token": token, "type": "ua_card"}
                for token, card in self.cards_there.items()
                if card["owner"] == name
            ]
            row = {key: user[key] for key in ("first_name", "last_name", "status")}
            row |= {"id": name, "nfc_cards": cards, "access_policy_ids": user["policies"]}
            if "expand[]" in query:
                row["access_policies"] = [self._shown_policy(policy) for policy in user["policies"]]
            rows.append(row)
        return self._page(rows, query)

    def _get_users_policies(self, user: str, query: Any, _body: Any) -> dict[str, Any]:
        need(user in self.users, "CODE_USER_WORKER_NOT_EXISTS")
        found = list(self.users[user]["policies"])
        if query.get("only_user_policies") != ["true"]:
            found.append("of-the-group")
        return {"data": [self._shown_policy(policy) for policy in dict.fromkeys(found)]}

    def _put_users_policies(self, user: str, _query: Any, body: Any) -> dict[str, Any]:
        need(user in self.users, "CODE_USER_WORKER_NOT_EXISTS")
        need(body.keys() == {"access_policy_ids"} and all(p in self.policies for p in body["access_policy_ids"]))
        need(len(set(body["access_policy_ids"])) == len(body["access_policy_ids"]))
        self.users[user]["policies"] = body["access_policy_ids"]
        return {}

    # Cards and visitors

    def _get_cards(self, query: Any, _body: Any) -> dict[str, Any]:
        rows = []
        for token, card in self.cards_there.items():
            shown = {key: card[key] for key in ("alias", "display_id", "status")}
            shown |= {"token": token, "card_type": "ua_card", "note": card["display_id"]}
            rows.append(shown | {"user_id": card["owner"], "user_type": card["kind"]})
        return self._page(rows, query)

    def _shown_visitor(self, name: str) -> dict[str, Any]:
        visitor = self.visitors[name]
        shown = {key: visitor[key] for key in ("first_name", "last_name", "start_time", "end_time")}
        resources = [{"id": group, "name": "visitor-169", "type": kind} for kind, group in visitor["resources"]]
        return {**shown, "id": name, "status": self._status(visitor), "resources": resources}

    def _get_visitors(self, query: Any, _body: Any) -> dict[str, Any]:
        word = query.get("keyword", [""])[0]
        wanted = [STATUSES[int(status)] for status in query.get("status", [])]
        rows = [
            self._shown_visitor(name)
            for name, visitor in self.visitors.items()
            if (not word or visitor["first_name"].startswith(word) or visitor["last_name"].startswith(word))
            and (word or not wanted or self._status(visitor) in wanted)
        ]
        return self._page(rows, query)

    def _visit(self, body: dict[str, Any]) -> dict[str, Any]:
        """The fields of a visit as they are kept. The doors among them become a group of the visitor's own."""
        known = {"first_name", "last_name", "start_time", "end_time", "visit_reason", "resources"}
        need(body.keys() <= known)
        need(body.get("visit_reason", "Others") in REASONS)
        kept = dict(body)
        if "resources" in kept:
            resources = self._resources(kept["resources"])
            group = str(uuid.uuid4())
            self.groups[group] = [name for kind, name in resources if kind == "door"]
            kept["resources"] = [*(r for r in resources if r[0] == "door_group"), ("door_group", group)]
        return kept

    def _post_visitor(self, _query: Any, body: Any) -> dict[str, Any]:
        need({"first_name", "last_name", "start_time", "end_time", "visit_reason"} <= body.keys())
        need(body["first_name"] and body["last_name"] and body["start_time"] < body["end_time"])
        need(body["end_time"] >= int(self.now().timestamp()))
        name = str(uuid.uuid4())
        self.visitors[name] = {"resources": [], "cancelled": False, "over": False, **self._visit(body)}
        return {"data": self._shown_visitor(name)}

    def _put_visitor(self, name: str, _query: Any, body: Any) -> dict[str, Any]:
        need(name in self.visitors, "CODE_NOT_EXISTS")
        visitor = self.visitors[name]
        over = self._status(visitor) in ("VISITED", "CANCELLED")
        visitor.update(self._visit(body), over=over)
        need(visitor["start_time"] < visitor["end_time"])
        return {"data": self._shown_visitor(name)}

    def _delete_visitor(self, name: str, query: Any, _body: Any) -> dict[str, Any]:
        need(name in self.visitors, "CODE_NOT_EXISTS")
        for card in self.cards_there.values():
            if card["owner"] == name:
                card.update(owner="", kind="", status="pending")
        if query.get("is_force") == ["true"]:
            del self.visitors[name]
        else:
            self.visitors[name]["cancelled"] = True
        return {"data": None}

    def _bind(self, name: str, _query: Any, body: Any) -> dict[str, Any]:
        need(name in self.visitors, "CODE_NOT_EXISTS")
        need({"token"} <= body.keys() <= {"token", "force_add"} and body["token"] in self.cards_there)
        card = self.cards_there[body["token"]]
        need(card["owner"] in ("", name) or body.get("force_add"), "CODE_CREDS_NFC_HAS_BIND_USER")
        card.update(owner=name, kind="VISITOR", status="assigned")
        return {}

    def _unbind(self, name: str, _query: Any, body: Any) -> dict[str, Any]:
        need(name in self.visitors, "CODE_NOT_EXISTS")
        card = self.cards_there.get(body["token"])
        if card is None or card["owner"] != name:
            raise No("CODE_NOT_EXISTS")
        card.update(owner="", kind="", status="pending")
        return {}

    # The log

    def _logs(self, query: Any, body: Any) -> dict[str, Any]:
        need(body.keys() <= {"topic", "since", "until", "actor_id"} and body["topic"] == "door_openings")
        rows = [
            {
                "@timestamp": datetime.fromtimestamp(hit["event"]["published"] / 1000, UTC).isoformat(),
                "_id": "",
                "_source": hit,
                "tag": "access",
            }
            for hit in reversed(self.log)
            if body["since"] <= hit["event"]["published"] / 1000 <= body["until"]
        ]
        shown = self._page(rows, query)
        return {"data": {"hits": shown["data"], "page": shown["pagination"]["page_num"], "total": len(rows)}}


class UnifiVisitors(Unifi):
    """All cards are nobody's, and those of users are left alone."""

    staff_cards = False
    staff = ()

    def put_foreign(self, card: str) -> None:
        """The reception gives a visitor of its own a card."""
        self.visitors["of-the-house"] = {
            "first_name": "Zoe",
            "last_name": "Guest",
            "start_time": 0,
            "end_time": 4_000_000_000,
            "resources": [("door", DOORS[0])],
            "cancelled": False,
            "over": False,
        }
        self.card(card).update(owner="of-the-house", kind="VISITOR", status="assigned")
