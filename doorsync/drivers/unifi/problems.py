"""What can go wrong at UniFi Access."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

# Options
TOKEN_EXPECTED = problem("unifi.option.token", _("it must be letters, digits and signs without spaces"))
IDS_EXPECTED = problem("unifi.option.ids", _("it must be IDs, with commas or spaces between"))
DOOR_TWICE = problem("unifi.option.door_twice", _("a door is in it twice"))

# Notes for staff who set it up
DOORS = problem("unifi.doors", _("its doors: %(doors)s"))
DOORS_MISSING = problem("unifi.doors_missing", _("not there: %(doors)s"))

# Answers
NOT_UNIFI = problem(
    "unifi.not_unifi", _("What answers is no UniFi Access: its answer does not fit (status %(status)d).")
)
UNFIT_ANSWER = problem(
    "unifi.unfit_answer", _("UniFi Access answered in a way that the portal does not understand (%(why)s).")
)
INCOMPLETE = problem("unifi.incomplete", _("UniFi Access did not give its list of %(path)s to the end."))
BAD_TOKEN = problem(
    "unifi.bad_token", _("UniFi Access does not accept the API token: make a new one there, and store it here.")
)
NOT_PERMITTED = problem(
    "unifi.not_permitted", _("The API token may not use %(path)s: give it the permissions that the docs name.")
)
FAILED = problem("unifi.failed", _("UniFi Access failed at %(path)s: %(answer)s (%(code)s)."))
NOT_FOUND = problem("unifi.not_found", _("UniFi Access knows no %(path)s (%(code)s)."))
REFUSED = problem("unifi.refused", _("UniFi Access refused %(path)s: %(answer)s (%(code)s)."))

# Cards of users
USER_HIDDEN = problem(
    "unifi.user_hidden",
    _("UniFi Access does not show the card's user: assign the card anew there."),
)
USERS_CARD = problem(
    "unifi.users_card",
    _("In UniFi the card belongs to %(user)s, and this controller is set to leave users' cards alone."),
)
USER_DEACTIVATED = problem("unifi.user_deactivated", _("The card's user, %(user)s, is deactivated in UniFi."))
CARDS_AT_ODDS = problem(
    "unifi.cards_at_odds",
    _(
        "In UniFi %(user)s has %(n)d cards, which open the same doors at all times, and not all of them are to open "
        "these. Take away the cards that are lost or not in use, there."
    ),
)
ENDLESS = problem("unifi.endless", _("A user's access in UniFi has no end: it can't be written ahead of time."))
NO_SCHEDULE = problem("unifi.no_schedule", _("UniFi Access shows no schedule of its own that admits at all times."))

# Other cards
ONE_STRETCH = problem("unifi.one_stretch", _("UniFi Access knows one stretch of time for a visitor."))
GIVEN_AWAY = problem(
    "unifi.given_away",
    _("Meanwhile the card was given to a visitor in UniFi Access: take it away from them there."),
)
UNKNOWN_CARD = problem(
    "unifi.unknown_card",
    _("UniFi Access does not know the card: enrol it there, and give it its number as an alias."),
)
AMBIGUOUS_CARD = problem(
    "unifi.ambiguous_card",
    _("Several cards have this number in UniFi Access: give them different aliases there."),
)
UNUSABLE_CARD = problem("unifi.unusable_card", _("The card is disabled or lost in UniFi Access."))

# Doors
UNLISTED_DOOR = problem("unifi.unlisted_door", _("Door %(n)d has no ID in the controller's list of doors."))
DOOR_LOCKED = problem("unifi.door_locked", _("Somebody set the door to stay locked in UniFi Access."))
