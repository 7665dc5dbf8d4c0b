"""docs/settings.md and docker/env.example against what the settings read."""

import re
import runpy
from pathlib import Path

import environ

ROOT = Path(__file__).parents[2]
# Read by compose.yaml alone.
OF_COMPOSE = {"POSTGRES_PASSWORD", "PORTAL_LISTEN"}


def variables_read(monkeypatch):
    names = set()
    get_value = environ.Env.get_value

    def noting(self, name, *args, **kwargs):
        names.add(name)
        return get_value(self, name, *args, **kwargs)

    monkeypatch.setattr(environ.Env, "get_value", noting)
    for module in ("environment", "settings"):
        runpy.run_path(str(ROOT / "portal" / f"{module}.py"))
    return names


def test_every_variable_is_documented_and_every_documented_one_is_read(monkeypatch):
    rows = [line for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert documented == variables_read(monkeypatch)


def test_the_example_for_docker_has_only_variables_that_are_read(monkeypatch):
    lines = (ROOT / "docker/env.example").read_text().splitlines()
    named = {match[1] for line in lines if (match := re.match(r"(?:# )?([A-Z_]+)=", line))}
    assert named - OF_COMPOSE <= variables_read(monkeypatch)
