"""What the tests of the portal's own packages share."""

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def _english():
    """A request in another language leaves that language active in its thread."""
    with translation.override("en"):
        yield
