"""What the tests of the portal's own packages share."""

import pytest

from portal.buildings.model import Building
from portal.buildings.reading import load_building
from tests.portal.sandbox.conftest import BUILDINGS


@pytest.fixture(scope="session")
def pier_house() -> Building:
    """The building of the demo."""
    return load_building(BUILDINGS / "pier-house.json")
