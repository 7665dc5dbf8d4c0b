"""Policies in words."""

import pytest

from accessmap.services.policy_summary import policy_in_words

PLAIN = {
    "organizer": True,
    "attendees": True,
    "anyone": False,
    "levels": [],
    "always": [],
    "statuses": ["confirmed", "checked in"],
    "lead": 15,
    "grace": 10,
}


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        (
            {"always": ["facilities"]},
            "Admits organizer and attendees, from 15 minutes before until 10 minutes after, while confirmed or "
            "checked in. Facilities may always pass.",
        ),
        (
            {"lead": 0, "grace": 0, "attendees": False, "statuses": ["confirmed"]},
            "Admits organizer, from the start of the booking until its end, while confirmed.",
        ),
        (
            {"levels": ["Cleaners", "IT"], "lead": 1, "grace": 1},
            "Admits organizer, attendees, Cleaners and IT, from 1 minute before until 1 minute after, while confirmed "
            "or checked in.",
        ),
        ({"organizer": False, "attendees": False}, "A booking admits nobody."),
        ({"statuses": [], "anyone": True}, "A booking admits nobody."),
        (
            {"organizer": False, "attendees": False, "anyone": True},
            "The door is unlocked for anyone from the start of the booking until its end, while confirmed or checked "
            "in.",
        ),
    ],
)
def test_a_policy_is_summed_up_in_sentences(changed, sentences):
    assert policy_in_words(**{**PLAIN, **changed}) == sentences
