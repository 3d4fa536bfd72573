"""What every console compiles anew when it is made, compiled once in a process: its templates and its addresses.

A console is made once in a process outside of tests; here hundreds are, each for a home of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import flask
import pytest
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule


class Templates(BytecodeCache):
    """The compiled templates of this process, each by its place and its text."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._compiled[bucket.key, bucket.checksum] = bucket.code


def builders() -> Callable[..., Any]:
    """`Rule._compile_builder`, whose answer depends on nothing but the address's parts and its defaults."""
    made: dict[object, Any] = {}
    compiled = Rule._compile_builder

    def once(self: Rule, append_unknown: bool = True) -> Any:
        converters = tuple((name, type(each)) for name, each in self._converters.items())
        key = self.rule, tuple(self._trace), repr(self.defaults), converters, append_unknown
        if key not in made:
            made[key] = compiled(self, append_unknown)
        return made[key]

    return once


def install(patch: pytest.MonkeyPatch) -> None:
    """Has every console of this process use what the first one compiled."""
    patch.setattr(flask.Flask, "jinja_options", {"bytecode_cache": Templates()})
    patch.setattr(Rule, "_compile_builder", builders())
