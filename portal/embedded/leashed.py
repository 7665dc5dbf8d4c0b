"""Run a Python module as a program that ends with its parent: `python -m portal.embedded.leashed celery -A portal ...`.

When standard input closes, which it does however the parent ended, the program gets the signal that asks it to
finish.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading


def _wait_for_the_end() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 65_536):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_wait_for_the_end, name="leash", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
