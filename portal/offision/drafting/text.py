"""Text of a drafted contract: TOML values, comments, questions."""

import json
import re
from collections.abc import Iterable
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml(value: Any) -> str:
    """A value as TOML; dicts become inline tables."""
    if isinstance(value, dict):
        pairs = (f"{name if _BARE_KEY.fullmatch(name) else toml(name)} = {toml(one)}" for name, one in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(one) for one in value)}]"
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode()
        return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def comment(text: str) -> str:
    """Foreign text as one comment line, whatever it holds."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return f"# {plain[:300]}"


def question(text: str, candidates: Iterable[str] = ()) -> list[str]:
    """A question to the installer, with its candidates below it: the # is removed from the right one."""
    return [comment(f"QUESTION: {text}"), *(comment(candidate) for candidate in candidates)]
