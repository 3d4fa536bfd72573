"""Finds integrations by their place: every module under `integrations/` that sets CAPABILITIES."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import integrations
from integrations.capabilities import Capabilities, FromConfig

_DECLARES = re.compile(r"^CAPABILITIES\b", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """An integration's module: what it can do and how one is made."""

    kind: str
    capabilities: Capabilities
    from_config: FromConfig

    def __str__(self) -> str:
        can = self.capabilities
        lines = [
            f"{self.kind}: reads {', '.join(can.reads) if len(can.reads) < 20 else 'every table'}",
            f"  keeps up: {can.increments}",
            f"  bills as: {can.dialect}; holds a draft: {can.hold.replace('_', ' ')}",
            f"  takes webhooks: {'yes' if can.receives else 'no'}; writes: {', '.join(can.writes) or 'none'}",
        ]
        return "\n".join(lines)


def kinds() -> list[str]:
    """The names of all integrations, in order. Nothing is imported for it."""
    return sorted(set(_declared()))


def find(kind: str) -> Found:
    """The integration of that name. Raises KeyError."""
    if kind not in kinds():
        raise KeyError(kind)
    module = importlib.import_module(f"integrations.{kind}")
    return Found(kind, module.CAPABILITIES, module.from_config)


def _declared() -> Iterator[str]:
    for folder in map(Path, integrations.__path__):
        for file in [*folder.glob("*.py"), *folder.glob("*/__init__.py")]:
            if _DECLARES.search(file.read_text(encoding="utf-8")):
                yield file.parent.name if file.name == "__init__.py" else file.stem
