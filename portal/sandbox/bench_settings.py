"""The portal's settings with the benchmark's addresses beside its own."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "portal.sandbox.bench_urls"
