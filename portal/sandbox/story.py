"""The demo's life: bookings come, move and are cancelled, people arrive, and somebody tells what happens."""

from portal.sandbox.playground import Playground


def tell(place: Playground) -> None:
    raise KeyboardInterrupt
