"""The faults that the example company can have, one file per code of the specification's faults.md.

Owns what goes wrong and what it costs. Does not own what only looks wrong.

A module `tu_NN.py` has `STAGE`, when it is planted, and `plant(company, rng)`, which finds its customers, spoils their
records and returns the faults with their exact impact and every record that is wrong. It is found by its name. Stories
whose customers it cannot do without are its `NEEDS`; faults that do not need them leave those customers to it. One that
nearly every customer lends itself to says `ANYWHERE = True`, and comes after the choosier ones of its stage.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType


def _modules() -> dict[str, ModuleType]:
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name.startswith("tu_"))
    return {name.upper().replace("_", "-"): import_module(f"{__name__}.{name}") for name in names}


FAULTS: dict[str, ModuleType] = _modules()
"""The modules by code, `TU-01` and so on."""
