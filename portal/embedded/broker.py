"""Celery's broker over files, for a machine without Redis: kombu's own, with messages that appear whole.

kombu (5.7) writes a message in place, so that a worker can read it half written and dies of it (celery/kombu#1551).
Here it is written beside the queue and moved in.
"""

import json
import uuid
from pathlib import Path
from time import monotonic_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem

SCHEME = "files"


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as kombu's own does
        folder = Path(self.data_folder_out)
        name = f"{monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        unfinished = folder / f"{name}.unfinished"
        try:
            unfinished.write_text(json.dumps(payload))
            unfinished.rename(folder / name)
        except OSError as error:
            raise ChannelError(f"The message could not be put into {folder}: {error}") from error


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:{Transport.__name__}"
