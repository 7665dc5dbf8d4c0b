"""The audit events of visitors, turnstiles and kiosks."""

from django.utils.translation import gettext_lazy as _

from portal.audit.events import audit_event, audited_model

_TURNSTILE = "(SELECT named.name FROM visitors_turnstile named WHERE named.id = {row}.turnstile_id)"

audited_model(
    "visitors.Turnstile",
    label="{row}.name",
)
audited_model("visitors.Reader", label=f"{_TURNSTILE} || ': ' || {{row}}.name")
audited_model(
    "visitors.Template",
    label=_TURNSTILE,
)
audited_model(
    "visitors.TurnstileKey",
    label=f"{_TURNSTILE} || ': ' || {{row}}.prefix",
    key="{row}.prefix",
)

VERIFIED = audit_event(
    "visitor.verify", _("%(actor)s asked whether %(object)s may pass."), "direction", "source", "notes"
)
PASSAGE = audit_event("visitor.passage", _("%(actor)s reported a passage of %(object)s."), "direction", "verification")
OFFLINE = audit_event(
    "visitor.offline",
    _("%(actor)s reported a decision about %(object)s that it made while the portal was out of reach."),
    "direction",
    "scanned_at",
)
HISTORY = audit_event("visitor.history", _("%(actor)s reported an earlier scan of %(object)s."), "at", "code")
CHECK_IN = audit_event("visitor.check_in", _("%(actor)s reported the check-in of %(object)s to Offision."), "attempts")
CHECK_OUT = audit_event(
    "visitor.check_out", _("%(actor)s reported the check-out of %(object)s to Offision."), "attempts"
)
GUESSING = audit_event("visitors.guessing", _("Somebody guesses codes, or a scanner is broken: %(object)s."))
TURNSTILE_KEY = audit_event("turnstile.key", _("%(actor)s made a key for the turnstile %(object)s."))
KIOSK_PAIRING = audit_event("kiosk.pairing", _("%(actor)s made a pairing code for a kiosk of %(object)s."))
KIOSK_PAIRED = audit_event("kiosk.paired", _("A tablet became a kiosk of %(object)s."))
KIOSK_UNPAIRED = audit_event("kiosk.unpaired", _("%(actor)s unpaired the kiosks of %(object)s."), "tablets")
