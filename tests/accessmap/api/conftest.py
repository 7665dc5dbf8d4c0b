"""Keys, and requests with them."""

import json
from typing import Any

import pytest
from django.test import Client

from accessmap.api.models import ApiKey, Scope


class Caller:
    """A program with a key."""

    def __init__(self, key: ApiKey, secret: str) -> None:
        self.key, self.secret = key, secret
        self._client = Client(raise_request_exception=False)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self._client.generic(
            method,
            f"/api/v1/{path}",
            "" if body is None else body if isinstance(body, str | bytes) else json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Api-Key {self.secret}", **headers},
        )


@pytest.fixture
def caller(db):
    """Make a program whose key has these scopes; all, if none is named."""

    def make(*scopes: Scope, name: str = "HR", **more: Any) -> Caller:
        key, secret = ApiKey.objects.create_key(name=name, scopes=[*(scopes or Scope)], **more)
        assert isinstance(key, ApiKey)
        return Caller(key, secret)

    return make


@pytest.fixture
def hr(caller):
    return caller()
