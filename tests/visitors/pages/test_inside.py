"""The page of who is inside a site."""

import pytest

from accessmap.models import Site
from tests.places import NOW


@pytest.mark.parametrize("language", ["en", "zh-hant"])
def test_doubtful_visitors_are_marked_in_both_languages(turnstiles, admin_client, language):
    report = {"code": "NEVER-SEEN", "decision": "allow", "at": NOW.isoformat()}
    turnstiles.post("verifications/offline", report)
    turnstiles.scan("GOOD1")
    page = admin_client.get(f"/admin/inside/{Site.objects.get().pk}/", headers={"accept-language": language})
    text = page.content.decode()
    assert "Ana" in text
    assert "Acme" in text
    assert text.count('class="doubtful"') == 2
    in_english = [
        "no turnstile saw the passage",
        "no such visit was seen in Offision",
        "Accounted for",
        "2 visitors inside",
    ]
    for words in in_english:
        assert (words in text) == (language == "en")
