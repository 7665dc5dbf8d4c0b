"""What Granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

# Everything loaded so far lives as long as the process: take it out of the collector's rounds, whose pauses
# would otherwise be the slowest answers.
gc.collect()
gc.freeze()
