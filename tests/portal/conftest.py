"""The building of the demo."""

import pytest

from portal.buildings.building import Building, load_building
from tests.portal.sandbox.conftest import BUILDINGS


@pytest.fixture(scope="session")
def pier_house() -> Building:
    return load_building(BUILDINGS / "pier-house.json")
