"""What Granian serves."""

import gc
import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from portal.offision.default import contract_from_settings, keep_warm

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

# A contract that cannot be used is found out now, not by the first call that Offision makes.
contract_from_settings()

# Connections to Offision are kept open for the visitor who comes next.
if settings.OFFISION_URL and contract_from_settings().has("information"):
    threading.Thread(target=keep_warm, kwargs={"stop": threading.Event()}, name="keep warm", daemon=True).start()

# Everything loaded so far lives as long as the process: take it out of the collector's rounds, whose pauses
# would otherwise be the slowest answers.
gc.collect()
gc.freeze()
