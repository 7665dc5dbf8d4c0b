"""The WSGI application that Granian serves."""

import gc
import os
import sys
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.checks import stop_on_errors  # noqa: E402 (Django is set up first)
from portal.offision.default import contract_from_settings, keep_warm  # noqa: E402
from portal.offision.errors import ContractError  # noqa: E402

stop_on_errors()
# A contract that cannot be used stops the start, not the first callback.
try:
    contract = contract_from_settings()
except ContractError as error:
    sys.exit(f"The portal does not start: {error}")

# Connections to Offision stay open for the visitor who comes next.
if settings.OFFISION_URL and contract.has("information"):
    threading.Thread(target=keep_warm, kwargs={"stop": threading.Event()}, name="keep warm", daemon=True).start()

# The garbage collector ignores everything loaded so far, which lives as long as the process: its pauses would
# be the slowest answers.
gc.collect()
gc.freeze()
