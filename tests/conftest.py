"""What all tests share. PostgreSQL is real; the network ends at this machine."""

import pytest
from django.db import connection

pytest_plugins = ["tests.places", "tests.chromium"]


@pytest.fixture(scope="session", autouse=True)
def _own_network_only():
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _no_client_of_another_test():
    """The client and the contract are kept by the process; a test that changes settings must get its own."""
    from portal.offision.default import client_from_settings, contract_from_settings

    yield
    client_from_settings.cache_clear()
    contract_from_settings.cache_clear()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests with real commits empty the tables between them; the audit log's guard would not let them."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE tgname LIKE 'pgtrigger_never_emptied%'")
        for trigger, table in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{trigger}"')
