"""The rows of a big building after years of work, written with SQL, for the measurements of the staff pages."""

import structlog
from django.db import connection

log = structlog.get_logger(__name__)

CARDHOLDERS = 2_000
CONTROLLERS = 100
DOORS = 300
HISTORY = 200_000
ENTRIES = 2_000_000

# A hundred controllers with three doors each, a resource behind each door, a card per cardholder. 2,000 cards at 100
# controllers are the 200,000 permissions.
_MAP = """
INSERT INTO accessmap_site (id, name, time_zone)
    VALUES (1, 'Harbour', 'Asia/Hong_Kong'), (2, 'Hill', 'Asia/Hong_Kong');
INSERT INTO accessmap_accesslevel (id, name) SELECT n, 'level ' || n FROM generate_series(1, 20) n;
INSERT INTO accessmap_cardholder (id, email, name)
    SELECT n, 'person' || n || '@bench.example', 'Person ' || n FROM generate_series(1, {CARDHOLDERS}) n;
INSERT INTO accessmap_membership (cardholder_id, access_level_id)
    SELECT n, n % 20 + 1 FROM generate_series(1, {CARDHOLDERS}) n;
INSERT INTO accessmap_card (cardholder_id, number, status)
    SELECT n, 'C' || 100000 + n, CASE WHEN n % 50 = 0 THEN 'lost' ELSE 'active' END
    FROM generate_series(1, {CARDHOLDERS}) n;
INSERT INTO accessmap_controller (id, site_id, name, driver, options, enabled)
    SELECT n, n % 20 / 19 + 1, 'box ' || n, 'simulated', '{{"url": "http://127.0.0.1:9/"}}', true
    FROM generate_series(1, {CONTROLLERS}) n;
INSERT INTO accessmap_door (id, controller_id, number, name, floor)
    SELECT n, (n - 1) / 3 + 1, (n - 1) % 3 + 1, 'Door ' || n, n % 30 || '/F' FROM generate_series(1, {DOORS}) n;
INSERT INTO accessmap_accesspolicy
    (id, name, admit_organizer, admit_attendees, admit_anyone, statuses, lead_minutes, grace_minutes)
    SELECT n, 'policy ' || n, true, true, n = 10, '{{confirmed,checked_in}}', 15, 10 FROM generate_series(1, 10) n;
INSERT INTO accessmap_policyalways (policy_id, access_level_id) SELECT n, n FROM generate_series(1, 10) n;
INSERT INTO accessmap_policyadmits (policy_id, access_level_id) SELECT n, n + 1 FROM generate_series(1, 10) n;
INSERT INTO accessmap_resource (id, site_id, external_id, name, policy_id)
    SELECT n, 1, 'room-' || n, 'Room ' || n, n % 10 + 1 FROM generate_series(1, {DOORS} + 20) n;
INSERT INTO accessmap_resourcedoor (resource_id, door_id) SELECT n, n FROM generate_series(1, {DOORS}) n;
"""

# Six bookings per room and day, from yesterday to two days ahead, each with four people, a few without a card.
_SYNC = """
INSERT INTO doorsync_schedulerstate (id, ticked_at, full_resync_at, subscription_error, offision_error)
    VALUES (1, now() + interval '1 day', now(), '[]', '[]')
    ON CONFLICT (id) DO UPDATE SET ticked_at = EXCLUDED.ticked_at;
INSERT INTO doorsync_resourcesync
    (generation, observed_generation, leased_generation, failures, last_error, created_at, succeeded_at,
     resource_id, cause, pending_reason, pending_ids, accepted_ids, fetched_as)
    SELECT 1, 1, 0, 0, '[]', now(), now(), id, '',
        CASE WHEN id % 100 = 0 THEN '[{{"code": "quoted", "params": {{"text": "Vanished."}}}}]'::jsonb ELSE '[]' END,
        '[]', '[]', ''
    FROM accessmap_resource;
INSERT INTO doorsync_controllersync
    (generation, observed_generation, leased_generation, failures, last_error, created_at, succeeded_at,
     controller_id, unreachable, approved, dropped, serial, firmware)
    SELECT 1, 1, 0, 0,
        CASE WHEN id % 50 = 0 THEN '[{{"code": "quoted", "params": {{"text": "No answer."}}}}]'::jsonb ELSE '[]' END,
        now(), now(), id,
        CASE WHEN id % 50 = 0 THEN 20 ELSE 0 END, '[]', '[]', '', ''
    FROM accessmap_controller;
INSERT INTO doorsync_storedbooking
    (resource_id, external_id, title, starts_at, ends_at, status, organizer_email, organizer_name, attendee_emails,
     fetched_at)
    SELECT room, 'b-' || room || '-' || day || '-' || slot, 'Meeting ' || slot,
        date_trunc('day', now()) + make_interval(days => day, hours => slot * 4),
        date_trunc('day', now()) + make_interval(days => day, hours => slot * 4 + 3),
        'confirmed', 'person' || (room * 7 + slot) % {CARDHOLDERS} + 1 || '@bench.example', '',
        ARRAY[
            'person' || (room * 11 + slot + day) % ({CARDHOLDERS} + 50) + 1 || '@bench.example',
            'person' || (room * 13 + slot + day) % ({CARDHOLDERS} + 50) + 1 || '@bench.example',
            'person' || (room * 17 + slot + day) % ({CARDHOLDERS} + 50) + 1 || '@bench.example'
        ], now()
    FROM generate_series(1, {DOORS} + 20) room, generate_series(-1, 2) day, generate_series(0, 5) slot;
INSERT INTO doorsync_unmappedresource (external_id, name, first_seen_at, last_seen_at)
    SELECT 'unknown-' || n, 'Unknown ' || n, now(), now() FROM generate_series(1, 300) n;
INSERT INTO doorsync_controllercard
    (controller_id, number, desired, written, state, reason, changed_at, confirmed_at)
    SELECT box, 'C' || 100000 + holder,
        jsonb_build_object('1', jsonb_build_array(jsonb_build_array(now(), now() + interval '1 hour', '["b"]'::jsonb))),
        '{{}}', CASE WHEN holder % 500 = 0 THEN 'failed' WHEN holder % 3 = 0 THEN 'gone' ELSE 'in_step' END,
        '[]', now() - interval '1 day', now()
    FROM generate_series(1, {CARDHOLDERS}) holder, generate_series(1, {CONTROLLERS}) box;
INSERT INTO doorsync_controllerhold (controller_id, door_number, desired, state, reason, changed_at)
    SELECT controller_id, number, '[]', 'in_step', '[]', now() FROM accessmap_door;
INSERT INTO doorsync_unmanagedcard (controller_id, number, held, wanted, first_seen_at)
    SELECT n % {CONTROLLERS} + 1, 'S' || n, '{{}}', n % 10 = 0, now() FROM generate_series(1, 500) n;
"""

_HISTORY = """
INSERT INTO doorsync_bookingfetch
    (resource_id, generation, cause, started_at, finished_at, outcome, requests, vanished, problems, confirmed_at)
    SELECT n % {DOORS} + 1, n, 'callback', at, at, CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'changed' END, 4, 0,
        '[]', at
    FROM (SELECT n, now() - (({HISTORY} - n) * interval '1 minute') AS at FROM generate_series(1, {HISTORY}) n) AS rows;
INSERT INTO doorsync_fetchtarget (fetch_id, controller_id, generation, confirmed_at)
    SELECT id, id % {CONTROLLERS} + 1, generation, confirmed_at FROM doorsync_bookingfetch;
INSERT INTO doorsync_callback
    (received_at, content_type, body, outcome, problems, named_resource, resource_id, generation, fetch_id)
    SELECT started_at, 'application/json', '{{}}', 'enqueued', '[]', 'room-' || resource_id, resource_id, generation, id
    FROM doorsync_bookingfetch;
INSERT INTO doorsync_reconciliation
    (controller_id, generation, started_at, finished_at, unchanged, added, updated, removed, failed, unconfirmed,
     unmanaged, pending, last_error)
    SELECT n % {CONTROLLERS} + 1, n, at, at, 100, 1, 0, 1, 0, 0, 0, 0, '[]'
    FROM (SELECT n, now() - (({HISTORY} - n) * interval '1 minute') AS at FROM generate_series(1, {HISTORY}) n) AS rows;
INSERT INTO accessmap_cardevent (pgh_created_at, pgh_label, pgh_obj_id, id, cardholder_id, number, status)
    SELECT now() - n * interval '1 hour', 'update', id, id, cardholder_id, number,
        CASE WHEN n % 2 = 0 THEN 'active' ELSE 'lost' END
    FROM accessmap_card, generate_series(1, {HISTORY} / {CARDHOLDERS}) n;
INSERT INTO doorsync_notice (kind, key, label, problems, since, notified_at, ended_at, end_notified_at)
    SELECT 'controller', n, 'box ' || n % {CONTROLLERS}, '[]', now(), now(), now(), now()
    FROM generate_series(1, 20000) n;
INSERT INTO accessmap_mapimport
    (kind, state, file_name, content, actor, uploaded_at, rows_total, rows_done, created, changed, unchanged,
     errors, error_rows, change_rows, notes)
    SELECT 'people', 'imported', 'people.xlsx', '', 'ann', now(), 0, 0, 0, 0, 0, 0, '[]', '[]', '[]'
    FROM generate_series(1, 500) n;
INSERT INTO visitors_verification
    (id, at, reader, direction, code_digest, nonce, allowed, reasons, notes, source, visitor, upstream)
    SELECT gen_random_uuid(), now() - n * interval '1 minute', '', 'in', md5(n::text), '', n % 20 > 0, '[]', '[]',
        'live', 'Visitor ' || n % 5000, '[]'
    FROM generate_series(1, {HISTORY}) n;
"""

# Three years of entries, most of them from the doors; staff's own are few.
_LOG = """
INSERT INTO audit_entry
    (at, actor, action, object_type, object_id, object_label, outcome, reasons, detail)
    SELECT now() - (({ENTRIES} - n) * interval '47 seconds'),
        CASE WHEN n % 10 < 3 THEN 'portal' ELSE 'Person ' || n % {CARDHOLDERS} + 1 END,
        CASE WHEN n % 10 < 3 THEN 'plan.done' WHEN n % 5000 = 4 THEN 'card.lost' WHEN n % 20 = 5 THEN 'door.denied'
            ELSE 'door.opened' END,
        CASE WHEN n % 10 < 3 THEN 'accessmap.Controller' ELSE 'accessmap.Door' END,
        CASE WHEN n % 10 < 3 THEN n % {CONTROLLERS} + 1 ELSE n % {DOORS} + 1 END,
        CASE WHEN n % 10 < 3 THEN 'box ' || n % {CONTROLLERS} + 1 ELSE 'Door ' || n % {DOORS} + 1 END,
        CASE WHEN n % 20 = 5 THEN 'refused' WHEN n % 100000 = 0 THEN 'pending' ELSE 'done' END, '[]', '{{}}'
    FROM generate_series(1, {ENTRIES}) n;
"""


def load() -> None:
    """Fill a fresh, migrated database."""
    sizes = {
        "CARDHOLDERS": CARDHOLDERS,
        "CONTROLLERS": CONTROLLERS,
        "DOORS": DOORS,
        "HISTORY": HISTORY,
        "ENTRIES": ENTRIES,
    }
    with connection.cursor() as cursor:
        for name, statements in (("map", _MAP), ("sync", _SYNC), ("history", _HISTORY), ("audit log", _LOG)):
            log.info("loading", what=name)
            cursor.execute(statements.format(**sizes))
