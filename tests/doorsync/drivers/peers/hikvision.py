"""A fake terminal with two doors, from Hikvision's public ISAPI documentation and what integrators saw on devices.

It is strict where they are: a nonce is good for one request, five wrong passwords lock the login, pages are small,
searches by long names are refused, a person is deleted by and by, and meanwhile nothing else is changed. Its clock
shows local time and knows no daylight saving, unless it is told to.
"""

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.core import clock
from portal.sandbox.webserver import LocalServer
from tests.doorsync.drivers.peer import Fault, Peer

ZONE = ZoneInfo("Europe/London")
USER, PASSWORD, REALM = "portal", "Secret-4-tests", "DS-6e392e44"
SERIAL = "DS-K1T671M20260101V030305ENF12345678"
NAMESPACE = "http://www.isapi.org/ver20/XMLSchema"
PAGE = 3
FIRST, LAST = "2000-01-01T00:00:00", "2037-12-31T23:59:59"
OPEN, CLOSED, NORMAL = 2, 3, 4  # doorStatus

Answer = tuple[int, dict[str, Any] | str]


class Rejected(Exception):
    def __init__(self, word: str, code: int = 6, status: int = 400) -> None:
        super().__init__(word)
        self.answer: Answer = (status, {"statusCode": code, "statusString": "Invalid Content", "subStatusCode": word})


@dataclass
class Memory:
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    doors: dict[int, int] = field(default_factory=lambda: {1: NORMAL, 2: NORMAL})
    events: list[dict[str, Any]] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    deleting: list[str] = field(default_factory=list)
    time_mode: str = "manual"


DONE: Answer = (200, {"statusCode": 1, "statusString": "OK", "subStatusCode": "ok"})
DONE_XML: Answer = (
    200,
    f'<?xml version="1.0" encoding="UTF-8"?>\n<ResponseStatus version="2.0" xmlns="{NAMESPACE}">\n'
    "<statusCode>1</statusCode><statusString>OK</statusString><subStatusCode>ok</subStatusCode></ResponseStatus>",
)


class Hikvision(Peer):
    driver = "hikvision"
    own_daylight_saving = False

    def start(self) -> dict[str, Any]:
        self.memory, self.room, self.asked = Memory(), 3000, 0
        self.seen: list[tuple[str, str, str]] = []  # method, path, body; of those that were let in
        self.overrides: dict[tuple[str, str], Answer] = {}  # what to answer instead, by method and path
        self._nonces: set[str] = set()
        self.wrong_passwords, self.spurious = 0, 0
        self._fault: Fault | None = None
        self._back = threading.Event()
        self._lock = threading.Lock()
        self.skew = timedelta()
        self._server = LocalServer(self._serve)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return {"url": self.url, "username": USER, "password": PASSWORD, "timeout_seconds": 0.4}

    def stop(self) -> None:
        self.set_fault(None)
        self._server.shutdown()
        self._server.server_close()

    def set_fault(self, fault: Fault | None) -> None:
        self._fault = fault
        self._back.set()  # those that hang are let go
        self._back = threading.Event()

    # Its clock ----------------------------------------------------------------------------------------------

    def shows(self) -> datetime:
        """What its clock shows, naive."""
        if self.own_daylight_saving:
            return (clock.now() + self._ahead).astimezone(ZONE).replace(tzinfo=None)
        return self._shown + (clock.now() - self._set_at)

    def _set(self, shown: datetime) -> None:
        self._shown, self._set_at = shown, clock.now()
        self._ahead = shown - clock.now().astimezone(ZONE).replace(tzinfo=None)

    @property
    def skew(self) -> timedelta:
        return self.shows() - clock.now().astimezone(ZONE).replace(tzinfo=None)

    @skew.setter
    def skew(self, ahead: timedelta) -> None:
        self._set(clock.now().astimezone(ZONE).replace(tzinfo=None) + ahead)

    # Its decisions ------------------------------------------------------------------------------------------

    def opens(self, card: str, door: int) -> bool:
        return self._why_not(card, door) is None

    def _why_not(self, card: str, door: int) -> int | None:
        """The minor type of the event that says why a card is denied; None where it is not."""
        state = self.memory.doors[door]
        if state != NORMAL:
            return None if state == OPEN else 0x75
        held = self.memory.cards.get(card)
        if held is None:
            return 0x09
        if held["cardType"] == "superCard":
            return None
        person = self.memory.people[held["employeeNo"]]
        valid = person["Valid"]
        shown = self.shows().isoformat(timespec="seconds")
        if valid["enable"] and not valid["beginTime"] <= shown <= valid["endTime"]:
            return 0x08
        plans = {plan["doorNo"] for plan in person.get("RightPlan", ()) if plan["planTemplateNo"] == "1"}
        if (
            person["userType"] == "blackList"
            or str(door) not in person.get("doorRight", "").split(",")
            or door not in plans
        ):
            return 0x06
        return None

    def held_unlocked(self, door: int) -> bool:
        return self.memory.doors[door] == OPEN

    def pulses(self, door: int) -> int:
        return self.memory.opened.count(door)

    @property
    def changes_asked(self) -> int:
        return self.asked

    def inside(self) -> Collection[str]:
        return list(self.memory.cards)

    def put_foreign(self, card: str) -> None:
        self.enrol(f"9{card}", card)

    def enrol(self, employee: str, *cards: str, **more: Any) -> None:
        """Somebody at the device adds a person with these cards, who may open the first door, for ever."""
        valid = {"enable": False, "beginTime": FIRST, "endTime": LAST, "timeType": "local"}
        plan = [{"doorNo": 1, "planTemplateNo": "1"}]
        person = {"employeeNo": employee, "name": "Somebody", "userType": "normal", "Valid": valid}
        self.memory.people[employee] = {**person, "doorRight": "1", "RightPlan": plan, **more}
        for card in cards:
            self.memory.cards[card] = {"employeeNo": employee, "cardNo": card, "cardType": "normalCard"}

    def forget(self) -> None:
        self.memory.people.clear()
        self.memory.cards.clear()

    def room_for(self, cards: int) -> None:
        self.room = cards

    def present(self, card: str, door: int) -> None:
        why_not = self._why_not(card, door)
        if why_not is not None:
            self.happens(why_not, door, cardNo=card)
            return
        self.happens(0x01, door, cardNo=card)
        for minor in (0x15, 0x19, 0x1A, 0x16):  # the lock, the door, and back
            self.happens(minor, door)

    def happens(self, minor: int, door: int, **more: Any) -> None:
        serial = self.memory.events[-1]["serialNo"] + 1 if self.memory.events else 1
        offset = f"{self.shows().replace(tzinfo=ZONE):%z}" if self.own_daylight_saving else "+0000"
        told = f"{self.shows().isoformat(timespec='seconds')}{offset[:3]}:{offset[3:]}"
        event = {"major": 5, "minor": minor, "time": told, "doorNo": door, "cardReaderNo": 1, "serialNo": serial}
        self.memory.events.append({**event, **more})

    # The wire -------------------------------------------------------------------------------------------------

    def _serve(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        method, path, query = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]
        body = environ["wsgi.input"].read().decode()
        if self._fault is Fault.SILENT:
            self._hang()
        with self._lock:
            refused = self._admit(method, f"{path}?{query}" if query else path, environ.get("HTTP_AUTHORIZATION", ""))
            if refused is None:
                self.seen.append((method, path, body))
                status, answer = self._answer(method, path, body, wants_json=query == "format=json")
        if refused is not None:
            content, headers = refused
            start_response("401 Unauthorized", [("Content-Type", "application/xml"), *headers])
            return [content.encode()]
        if self._fault is Fault.ANSWERS_LOST and self._is_change(method, path):
            raise ConnectionAbortedError
        kind = "application/xml" if isinstance(answer, str) else "application/json"
        content = answer if isinstance(answer, str) else json.dumps(answer)
        start_response(f"{status} so", [("Content-Type", kind), ("Content-Length", str(len(content.encode())))])
        return [content.encode()]

    def _hang(self) -> None:
        self._back.wait(30)
        raise ConnectionAbortedError

    def _admit(self, method: str, uri: str, authorization: str) -> tuple[str, list[tuple[str, str]]] | None:
        """None where the digest is right; else the body and headers of the refusal."""
        if self.wrong_passwords >= 5:
            return self._user_check("lock", 1800, 0), []
        if not authorization:
            nonce = secrets.token_hex(16)
            self._nonces.add(nonce)
            challenge = f'Digest qop="auth", realm="{REALM}", nonce="{nonce}", stale="FALSE"'
            left = 5 - self.wrong_passwords
            return self._user_check("unlock", 0, left), [("WWW-Authenticate", challenge)]
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', authorization))
        fresh = said["nonce"] in self._nonces
        self._nonces.discard(said["nonce"])
        if self.spurious:
            self.spurious -= 1
            return self._user_check("unlock", 0, 5), []
        first = _md5(f"{USER}:{REALM}:{PASSWORD}")
        second = _md5(f"{method}:{uri}")
        right = _md5(f"{first}:{said['nonce']}:{said['nc']}:{said['cnonce']}:auth:{second}")
        if not fresh or said["response"] != right or said["uri"] != uri or said["username"] != USER:
            self.wrong_passwords += 1
            if self.wrong_passwords >= 5:
                return self._user_check("lock", 1800, 0), []
            return self._user_check("unlock", 0, 5 - self.wrong_passwords), []
        self.wrong_passwords = 0
        return None

    @staticmethod
    def _user_check(lock: str, seconds: int, left: int) -> str:
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<userCheck version="2.0" xmlns="{NAMESPACE}">\n'
            "<statusValue>401</statusValue><statusString>Unauthorized</statusString><isActivated>true</isActivated>"
            f"<lockStatus>{lock}</lockStatus><unlockTime>{seconds}</unlockTime>"
            f"<retryLoginTime>{left}</retryLoginTime></userCheck>"
        )

    @staticmethod
    def _is_change(method: str, path: str) -> bool:
        asks = method == "GET" or path.endswith(("/Search", "/AcsEvent", "/System/time"))
        return not asks

    def _answer(self, method: str, path: str, body: str, *, wants_json: bool) -> Answer:
        change = self._is_change(method, path)
        self.asked += change
        if (method, path) in self.overrides:
            return self.overrides[method, path]
        is_xml = "/System/" in path or "/RemoteControl/" in path
        try:
            self._take(change, wrong_form=wants_json == is_xml)
            return self._handle(method, path.removeprefix("/ISAPI/"), body)
        except Rejected as rejected:
            return rejected.answer

    def _take(self, change: bool, *, wrong_form: bool) -> None:
        if change and self._fault is Fault.REFUSES:
            raise Rejected("notSupport", code=4, status=403)
        if change and self.memory.deleting:
            raise Rejected("deviceBusy", code=2, status=503)
        if wrong_form:
            raise Rejected("badURLFormat")

    def _handle(self, method: str, path: str, body: str) -> Answer:
        if path.startswith("AccessControl/RemoteControl/door/"):
            return self._remote(method, path, body)
        plain: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "System/deviceInfo"): self._device_info,
            ("GET", "System/time"): self._time,
            ("GET", "AccessControl/UserInfo/capabilities"): self._user_capabilities,
            ("GET", "AccessControl/CardInfo/capabilities"): self._card_capabilities,
            ("GET", "AccessControl/AcsEvent/capabilities"): self._event_capabilities,
            ("GET", "AccessControl/AcsWorkStatus"): self._work_status,
            ("GET", "AccessControl/UserInfoDetail/DeleteProcess"): self._delete_process,
        }
        if (method, path) in plain:
            return plain[method, path]()
        if (method, path) == ("PUT", "System/time"):
            return self._set_time(body)
        with_json: dict[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("POST", "AccessControl/UserInfo/Search"): self._search_users,
            ("POST", "AccessControl/CardInfo/Search"): self._search_cards,
            ("POST", "AccessControl/AcsEvent"): self._search_events,
            ("POST", "AccessControl/UserInfo/Record"): self._add_user,
            ("PUT", "AccessControl/UserInfo/Modify"): self._modify_user,
            ("PUT", "AccessControl/UserInfoDetail/Delete"): self._delete_users,
            ("POST", "AccessControl/CardInfo/Record"): self._add_card,
            ("PUT", "AccessControl/CardInfo/Modify"): self._modify_card,
            ("PUT", "AccessControl/CardInfo/Delete"): self._delete_cards,
        }
        if (method, path) not in with_json:
            raise Rejected("methodNotAllowed", code=4, status=403)
        try:
            return with_json[method, path](json.loads(body))
        except KeyError as missing:
            raise Rejected(f"MessageParametersLack {missing}") from missing
        except ValueError as error:
            raise Rejected("badJsonContent", code=5) from error

    def _device_info(self) -> Answer:
        return 200, (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<DeviceInfo version="2.0" xmlns="{NAMESPACE}">\n'
            "<deviceName>Front door</deviceName><deviceID>255</deviceID><model>DS-K1T671M</model>"
            f"<serialNumber>{SERIAL}</serialNumber><macAddress>98:df:82:00:00:01</macAddress>"
            "<firmwareVersion>V3.3.5</firmwareVersion><firmwareReleasedDate>build 220310</firmwareReleasedDate>"
            "</DeviceInfo>"
        )

    def _time(self) -> Answer:
        return 200, (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Time version="2.0" xmlns="{NAMESPACE}">\n'
            f"<timeMode>{self.memory.time_mode}</timeMode>"
            f"<localTime>{self.shows().isoformat(timespec='seconds')}+00:00</localTime>"
            "<timeZone>CST-0:00:00</timeZone></Time>"
        )

    def _set_time(self, body: str) -> Answer:
        found = re.fullmatch(
            r'<\?xml version="1.0" encoding="UTF-8"\?><Time version="2.0" xmlns="[^"]+">'
            r"<timeMode>(manual|NTP)</timeMode>"
            r"<localTime>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)</localTime><timeZone>CST-0:00:00</timeZone></Time>",
            body,
        )
        if found is None:
            return 400, DONE_XML[1].replace(">1<", ">6<").replace(">ok<", ">badXmlContent<")  # type: ignore[union-attr]
        self.memory.time_mode = found[1]
        self._set(datetime.fromisoformat(found[2]))
        return DONE_XML

    def _remote(self, method: str, path: str, body: str) -> Answer:
        door = int(path.rpartition("/")[2])
        found = re.search(
            r"<RemoteControlDoor[^>]*><cmd>(open|close|alwaysOpen|alwaysClose)</cmd></RemoteControlDoor>", body
        )
        if method != "PUT" or found is None or door not in self.memory.doors:
            raise Rejected("badXmlContent")
        if found[1] == "open":
            self.memory.opened.append(door)
        else:
            self.memory.doors[door] = {"close": NORMAL, "alwaysOpen": OPEN, "alwaysClose": CLOSED}[found[1]]
        return DONE_XML

    def _work_status(self) -> Answer:
        states = list(self.memory.doors.values())
        locks = [int(state == OPEN) for state in states]
        return 200, {"AcsWorkStatus": {"doorLockStatus": locks, "doorStatus": states, "magneticStatus": [0, 0]}}

    # Persons and cards ----------------------------------------------------------------------------------------

    def _user_capabilities(self) -> Answer:
        condition = {"searchID": {"@min": 1, "@max": 36}, "maxResults": {"@min": 1, "@max": PAGE}}
        said = {"supportFunction": {"@opt": "post,delete,put,get,setUp"}, "employeeNo": {"@min": 1, "@max": 32}}
        return 200, {"UserInfo": {**said, "UserInfoSearchCond": condition, "maxRecordNum": self.room}}

    def _card_capabilities(self) -> Answer:
        condition = {"searchID": {"@min": 1, "@max": 36}, "maxResults": {"@min": 1, "@max": PAGE}}
        said = {"cardNo": {"@min": 1, "@max": 20}, "maxRecordNum": self.room + 2000}
        return 200, {"CardInfo": {**said, "CardInfoSearchCond": condition}}

    def _page(self, name: str, condition: dict[str, Any], found: list[dict[str, Any]], listed: str) -> Answer:
        start, size = condition["searchResultPosition"], condition["maxResults"]
        if not 1 <= size <= PAGE or not 1 <= len(condition["searchID"]) <= 9:
            raise Rejected("badParameters")
        page = found[start : start + size]
        state = "MORE" if start + len(page) < len(found) else "OK" if found else "NO MATCH"
        told = {"searchID": condition["searchID"], "responseStatusStrg": state, "numOfMatches": len(page)}
        return 200, {name: {**told, "totalMatches": len(found), **({listed: page} if page else {})}}

    def _search_users(self, body: dict[str, Any]) -> Answer:
        condition = body["UserInfoSearchCond"]
        wanted = [entry["employeeNo"] for entry in condition.get("EmployeeNoList", [])]
        found = [person for name, person in self.memory.people.items() if not wanted or name in wanted]
        return self._page("UserInfoSearch", condition, found, "UserInfo")

    def _search_cards(self, body: dict[str, Any]) -> Answer:
        condition = body["CardInfoSearchCond"]
        wanted = [entry["cardNo"] for entry in condition.get("CardNoList", [])]
        found = [card for number, card in self.memory.cards.items() if not wanted or number in wanted]
        return self._page("CardInfoSearch", condition, found, "CardInfo")

    def _checked(self, person: dict[str, Any]) -> dict[str, Any]:
        valid = person["Valid"]
        begin, end = valid["beginTime"], valid["endTime"]
        for text in (begin, end):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text) or not FIRST <= text <= LAST:
                raise Rejected("badParameters")
            datetime.fromisoformat(text)
        plans = person["RightPlan"]
        fits = (
            type(valid["enable"]) is bool
            and begin <= end
            and valid["timeType"] == "local"
            and person["userType"] in ("normal", "visitor", "blackList")
            and 1 <= len(person["employeeNo"]) <= 32
            and all(int(door) in self.memory.doors for door in person["doorRight"].split(","))
            and all(type(p["doorNo"]) is int and p["doorNo"] in self.memory.doors for p in plans)
            and all(type(p["planTemplateNo"]) is str for p in plans)
        )
        if not fits:
            raise Rejected("badParameters")
        return person

    def _add_user(self, body: dict[str, Any]) -> Answer:
        person = self._checked(body["UserInfo"])
        if person["employeeNo"] in self.memory.people:
            raise Rejected("employeeNoAlreadyExist")
        if len(self.memory.people) >= self.room:
            raise Rejected("deviceUserFull", code=4, status=403)
        self.memory.people[person["employeeNo"]] = person
        return DONE

    def _modify_user(self, body: dict[str, Any]) -> Answer:
        person = self._checked(body["UserInfo"])
        if person["employeeNo"] not in self.memory.people:
            raise Rejected("employeeNoNotExist")
        self.memory.people[person["employeeNo"]] |= person
        return DONE

    def _delete_users(self, body: dict[str, Any]) -> Answer:
        detail = body["UserInfoDetail"]
        if detail["mode"] != "byEmployeeNo":
            raise Rejected("badParameters")
        self.memory.deleting = [entry["employeeNo"] for entry in detail["EmployeeNoList"]]
        return DONE

    def _delete_process(self) -> Answer:
        """Once asked it is at it; asked again it is done."""
        going = [name for name in self.memory.deleting if name in self.memory.people]
        if going:
            for name in going:
                del self.memory.people[name]
                self.memory.cards = {n: c for n, c in self.memory.cards.items() if c["employeeNo"] != name}
            return 200, {"UserInfoDetailDeleteProcess": {"status": "processing"}}
        self.memory.deleting = []
        return 200, {"UserInfoDetailDeleteProcess": {"status": "success"}}

    def _add_card(self, body: dict[str, Any]) -> Answer:
        card = body["CardInfo"]
        if not re.fullmatch(r"[0-9A-Za-z]{1,20}", card["cardNo"]):
            raise Rejected("badParameters")
        if card["employeeNo"] not in self.memory.people:
            raise Rejected("employeeNoNotExist")
        if card["cardNo"] in self.memory.cards:
            raise Rejected("cardNoAlreadyExist")
        self.memory.cards[card["cardNo"]] = {"cardType": "normalCard", **card}
        return DONE

    def _modify_card(self, body: dict[str, Any]) -> Answer:
        card = body["CardInfo"]
        held = self.memory.cards.get(card["cardNo"])
        if held is None or held["employeeNo"] != card["employeeNo"]:
            raise Rejected("cardNoNotExist")
        held |= card
        return DONE

    def _delete_cards(self, body: dict[str, Any]) -> Answer:
        for entry in body["CardInfoDelCond"]["CardNoList"]:
            if self.memory.cards.pop(entry["cardNo"], None) is None:
                raise Rejected("cardNoNotExist")
        return DONE

    # Events ---------------------------------------------------------------------------------------------------

    def _event_capabilities(self) -> Answer:
        condition = {"searchID": {"@min": 1, "@max": 9}, "maxResults": {"@min": 1, "@max": PAGE}}
        return 200, {"AcsEvent": {"AcsEventCond": {**condition, "beginSerialNo": {"@min": 1, "@max": 3_000_000_000}}}}

    def _search_events(self, body: dict[str, Any]) -> Answer:
        condition = body["AcsEventCond"]
        if "startTime" in condition or "timeReverseOrder" in condition:
            raise Rejected("badJsonContent", code=5)
        found = [
            event
            for event in self.memory.events
            if condition["major"] in (0, event["major"])
            and condition["minor"] in (0, event["minor"])
            and condition.get("beginSerialNo", 0) <= event["serialNo"] <= condition.get("endSerialNo", 3_000_000_000)
        ]
        return self._page("AcsEvent", condition, found, "InfoList")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
