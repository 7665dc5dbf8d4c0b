"""What can go wrong at a UHPPOTE board."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

# Options
ADDRESS_EXPECTED = problem(
    "uhppote.option.address", _("it must be an IPv4 address, such as 192.168.1.100, or one with a port")
)
LISTENER_EXPECTED = problem(
    "uhppote.option.listener", _("it must be an IPv4 address with a port, such as 192.168.1.10:60001")
)
PROFILES_OUT_OF_ORDER = problem("uhppote.option.profiles", _("the first time profile comes after the last"))

NO_ANSWER = problem("uhppote.no_answer", _("No answer within %(seconds)s seconds."))
NOT_REACHED = problem("uhppote.not_reached", _("The board can't be reached: %(why)s."))
NOT_UHPPOTE = problem("uhppote.not_uhppote", _("What answers is no board of this family (%(error)s)."))
OTHER_BOARD = problem("uhppote.other_board", _("The answer is not this board's: check its serial number and address."))

# Cards
CARD_NUMBER = problem(
    "uhppote.card_number", _("This board's cards have numbers from 1 to %(n)d, without zeros in front.")
)
CARDS_TOO_SLOW = problem("uhppote.cards_too_slow", _("The board did not list all its cards within %(n)d seconds."))
NOT_STORED = problem("uhppote.not_stored", _("The board did not store the card: most likely it is full."))
NOT_DELETED = problem("uhppote.not_deleted", _("The board did not delete the card."))
PROFILES_IN_USE = problem(
    "uhppote.profiles_in_use", _("All time profiles of the portal are in use by other cards just now.")
)
PROFILE_NOT_STORED = problem("uhppote.profile_not_stored", _("The board did not store time profile %(number)d."))

# Doors
MODE_UNCHANGED = problem("uhppote.mode_unchanged", _("The board did not change the mode of door %(door)d."))
NOT_OPENED = problem("uhppote.not_opened", _("The board did not open door %(door)d."))
