"""The demo's visitors, while somebody looks about in its admin."""

from datetime import UTC
from types import SimpleNamespace

import requests

from portal.sandbox.story import Story
from visitors.models import Turnstile


def test_the_demo_goes_on_after_somebody_has_made_a_new_key(turnstiles, monkeypatch):
    def post(_address, *, json, headers, timeout):
        answer = turnstiles.post("verify", json, key=headers["Authorization"].removeprefix("Api-Key "))
        return SimpleNamespace(status_code=answer.status_code, json=answer.json)

    monkeypatch.setattr(requests, "post", post)
    visits = [SimpleNamespace(code="GOOD1", name="Ana", company="")]
    story = Story(SimpleNamespace(building=SimpleNamespace(visits=visits, tz=UTC), portal_url=""))
    turnstile = Turnstile.objects.get(name="in")
    for key, told in ((turnstiles.keys["in"], "passes"), ("made.new", "stays shut")):
        story._gates = [(turnstile, key)]
        assert told in story._visitor()
