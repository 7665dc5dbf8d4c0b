"""Turnstiles in the admin."""

from django.urls import reverse

from visitors.models import Turnstile


def test_the_answers_of_a_template_are_stored_unchanged(turnstiles, admin_client):
    turnstile = Turnstile.objects.get(name="in")
    page = reverse("admin:visitors_turnstile_change", args=[turnstile.pk])
    form = admin_client.get(page).context["adminform"].form
    initial = {name: value for name, value in form.initial.items() if value is not None and name != "sources"}
    empty = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0}
    initial |= {f"readers-{name}": value for name, value in empty.items()}
    initial |= {"template-TOTAL_FORMS": 1, "template-INITIAL_FORMS": 0, "template-0-body": "raw"}
    initial |= {"template-0-allow_body": " OPEN\r\n", "template-0-deny_body": "STAY\r\n"}
    initial |= {"template-0-content_type": "text/plain", "protocol": "template"}
    assert admin_client.post(page, initial).status_code == 302
    assert turnstiles.device("in", "GOOD1").content == b" OPEN\r\n"
