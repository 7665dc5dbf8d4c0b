"""Fixtures of all tests. PostgreSQL is real; the network ends at this machine."""

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.places", "tests.chromium"]

# The same examples each time, so that a run depends on nothing but the code; and no deadline, since machines differ.
hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis_settings.load_profile("repeatable")

# Longest first: a process that gets one of these last would keep the others waiting.
LONGEST_FIRST = ("tests/end_to_end/", "tests/browser/", "")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: next(n for n, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)))


class Scheduling(LoadScopeScheduling):
    """Hands out one test at a time, and the tests of one played building together: it is played once."""

    def _split_scope(self, nodeid):
        return nodeid.partition("[")[2] if nodeid.startswith("tests/end_to_end/") else nodeid


@pytest.hookimpl(optionalhook=True)  # without xdist it is unknown
def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _own_network_only():
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _english():
    """A request in another language leaves that language active in its thread."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _no_client_of_another_test():
    """The process caches the client and the contract; a test that changes settings needs its own."""
    from portal.offision.default import client_from_settings, contract_from_settings

    yield
    client_from_settings.cache_clear()
    contract_from_settings.cache_clear()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests with real commits empty the tables after them, whatever guards the audit log and what migrations made."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE tgname LIKE 'pgtrigger_never_emptied%'")
        for trigger, table in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{trigger}"')
    post_migrate.connect(_make_scheduler_state, sender=apps.get_app_config("doorsync"))


def _make_scheduler_state(**_kwargs):
    """A migration makes the row. Django sends post_migrate after it has emptied the tables."""
    apps.get_model("doorsync", "SchedulerState").objects.get_or_create(pk=1)
