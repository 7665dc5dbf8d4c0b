"""The base of machine endpoints: bytes in, JSON out, problem details for whatever goes wrong."""

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound, ParseError, ValidationError
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import BaseThrottle

from portal.core.api.machine import MachineView


class SecretInPath(BaseAuthentication):
    def authenticate(self, request):
        if request.parser_context["kwargs"]["secret"] != "right":
            raise NotFound
        return AnonymousUser(), "right"


class Full(BaseThrottle):
    def allow_request(self, request, view):
        return not request.headers.get("X-Full")

    def wait(self):
        return 7


class Echo(MachineView):
    authentication_classes = [SecretInPath]
    throttle_classes = [Full]
    max_bytes = 10

    def post(self, request, secret):
        if self.body == b"odd":
            raise ParseError("This is odd.")
        if self.body == b"fields":
            raise ValidationError({"code": ["Must be text."]})
        return Response({"length": len(self.body), "body": self.body.decode("latin-1")})


def post(body=b"", path="right", view=Echo, **headers):
    request = APIRequestFactory().generic("POST", "/", body, **headers)
    return view.as_view()(request, secret=path).render()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json; charset=bogus",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "x",
    ],
)
@pytest.mark.parametrize("accept", ["", "text/xml", "*/*;q=0", "nonsense"])
def test_bytes_in_and_json_out_whatever_the_headers_say(content_type, accept):
    response = post(b"\xff\x00{", content_type=content_type, headers={"accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.data == {"length": 3, "body": "\xff\x00{"}


def test_no_body_is_an_empty_one():
    assert post(content_type="application/x-www-form-urlencoded").data["length"] == 0


def test_a_body_beyond_the_bound_is_refused_and_one_at_the_bound_is_not():
    assert post(b"x" * 10).status_code == 200
    response = post(b"x" * 11)
    assert response.status_code == 413
    assert response.data["detail"] == "The body is over 10 bytes."
    assert post(b"x" * 3_000_000).status_code == 413, "beyond Django's own bound, too"


def test_an_error_is_problem_details():
    response = post(b"odd")
    assert response["Content-Type"] == "application/problem+json"
    assert response.data == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "This is odd.",
        "errors": [],
        "error": "This is odd.",
    }
    assert post(b"fields").data["errors"] == [{"field": "code", "message": "Must be text."}]


def test_the_authentication_class_chooses_the_status_and_comes_before_the_body():
    assert post(b"x" * 11, path="wrong").status_code == 404


def test_a_view_without_authentication_answers_nobody():
    class Open(Echo):
        authentication_classes = []

    assert post(view=Open).status_code == 403


def test_a_throttle_says_how_long_to_wait():
    response = post(headers={"x-full": "1"})
    assert (response.status_code, response["Retry-After"]) == (429, "7")
