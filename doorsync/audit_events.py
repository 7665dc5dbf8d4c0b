"""The audit events of bookings, controllers, doors and notices."""

from django.utils.translation import gettext_lazy as _

from portal.audit.events import audit_event, audited_model

audited_model(
    "doorsync.Recipient",
    label="{row}.name",
    personal=["email"],
    # Some receivers' addresses are secrets by themselves.
    secret=["url"],
    ignored=["notified_until", "message_at", "digest_at"],
)

BOOKINGS_FETCH = audit_event("bookings.fetch", _("The bookings of %(object)s could not be fetched."))
BOOKINGS_PENDING = audit_event("bookings.pending", _("The bookings of %(object)s wait for an approval."))
BOOKINGS_ACCEPTED = audit_event("bookings.accepted", _("The approved bookings of %(object)s were accepted."))
BOOKINGS_APPROVED = audit_event("bookings.approve", _("%(actor)s approved the bookings of %(object)s."))
CALLBACK_REPROCESSED = audit_event(
    "callback.reprocess", _("%(actor)s had a callback about %(object)s processed again.")
)
CALLBACK_TESTED = audit_event("callback.test", _("%(actor)s tested the portal's own callURL."))
CONTRACT_CHECKED = audit_event("contract.check", _("%(actor)s checked the contract against %(object)s."), "fingerprint")
SUBSCRIPTION_LOOKED_AT = audit_event("subscription.look", _("%(actor)s had the subscription at %(object)s checked."))
SUBSCRIPTION_FAILED = audit_event("subscription.check", _("The subscription at %(object)s could not be checked."))
SUBSCRIPTION_KEPT = audit_event("subscription.kept", _("%(actor)s renewed the subscription at %(object)s."))

PLAN_APPROVED = audit_event("plan.approve", _("%(actor)s approved the pending plan of %(object)s."))
PLAN_DROPPED = audit_event("plan.drop", _("%(actor)s dropped the pending plan of %(object)s."))
PLAN_RECONSIDERED = audit_event("plan.reconsider", _("%(actor)s had the dropped plan of %(object)s decided anew."))
WORK_REQUESTED = audit_event("work.requested", _("%(actor)s had %(object)s fetched or reconciled at once."))
CONTROLLER_SUSPENDED = audit_event("controller.suspend", _("%(actor)s suspended %(object)s."))
CONTROLLER_RESUMED = audit_event("controller.resume", _("%(actor)s resumed %(object)s."))
CONTROLLER_DISABLED = audit_event("controller.disabled", _("%(object)s is disabled, with cards left in it."))
CONTROLLER_TESTED = audit_event("controller.test", _("%(actor)s tested the connection to %(object)s."))
CONTROLLER_FORGOTTEN = audit_event("controller.forget", _("%(actor)s had the contents of %(object)s forgotten."))
CONTROLLER_RECONCILED = audit_event("controller.reconcile", _("%(object)s was not reconciled completely."))
PERMISSION_READ_BACK = audit_event("permission.read_back", _("%(actor)s read a permission back from %(object)s."))
CONVERGENCE_LATE = audit_event("convergence.late", _("The doors have not followed the bookings for too long."))
CONVERGENCE_RESTORED = audit_event("convergence.restored", _("The doors follow the bookings again."))

CARD_ADOPTED = audit_event("card.adopt", _("%(actor)s adopted an unmanaged card: %(object)s."), "held")
CARD_ADDED = audit_event("card.added", _("A card was added to a controller: %(object)s."), "doors", personal=["card"])
CARD_UPDATED = audit_event(
    "card.updated", _("A card was updated at a controller: %(object)s."), "doors", personal=["card"]
)
CARD_REMOVED = audit_event(
    "card.removed", _("A card was removed from a controller: %(object)s."), "doors", personal=["card"]
)
CARD_CONFIRMED = audit_event(
    "card.confirmed", _("A card was found at a controller as written: %(object)s."), "doors", personal=["card"]
)
CARD_REFUSED = audit_event("card.refused", _("A controller refused a card: %(object)s."), "doors", personal=["card"])

DOOR_PULSE = audit_event(
    "door.pulse", _("%(actor)s had %(object)s unlocked for a moment."), "key", "reason", "stood_unlocked"
)
DOOR_HELD_UNLOCKED = audit_event("door.held_unlocked", _("%(object)s is held unlocked."), "windows")
DOOR_LOCKED = audit_event("door.locked", _("%(object)s locks again."), "windows")
_DOOR_EVENTS = {
    "opened": _("%(actor)s opened %(object)s."),
    "denied": _("%(actor)s was denied at %(object)s."),
    "unlocked": _("%(object)s was unlocked by a button or from afar."),
    "forced": _("%(object)s was forced open."),
    "held_open": _("%(object)s was held open."),
    "alarm": _("Alarm at %(object)s."),
}
for _kind, _sentence in _DOOR_EVENTS.items():
    audit_event(f"door.{_kind}", _sentence, "index", "read", personal=["card"])

NOTICE_BEGUN = audit_event("notice.begun", _("A notice began: %(object)s."))
NOTICE_ENDED = audit_event("notice.ended", _("A notice ended: %(object)s."))
NOTICE_GIVEN_UP = audit_event(
    "notice.given_up", _("A message to %(object)s could not be delivered."), "subject", "attempts"
)
RECIPIENT_TESTED = audit_event("recipient.test", _("%(actor)s sent a test message to %(object)s."))
