"""Run a Python module as a program that ends with its parent: `python -m portal.embedded.leashed celery -A portal ...`.

Standard input is a pipe from the parent. It closes however the parent ends, and the program then gets SIGTERM.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading


def end_with_parent() -> None:
    """Send this process SIGTERM when its standard input closes."""
    threading.Thread(target=_wait_for_end_of_input, name="leash", daemon=True).start()


def _wait_for_end_of_input() -> None:
    # From the descriptor: a thread inside sys.stdin's own lock would abort the interpreter's exit.
    with contextlib.suppress(OSError):  # it was closed from the beginning
        while os.read(0, 65_536):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    module, *arguments = sys.argv[1:]
    end_with_parent()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
