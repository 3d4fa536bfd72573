"""Where the configuration is written: a file and variables, read unchecked.

The file is `TRUEUP_CONFIG`, else `config.yaml` in the folder where trueup starts, else none. A variable
`TRUEUP__SECTION__KEY` goes before the file, `TRUEUP_HOME` before `home`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PREFIX = "TRUEUP__"


class ConfigError(ValueError):
    """The configuration cannot be used; `problems` are all of them, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def written(given: Mapping[str, str]) -> tuple[dict[str, Any], dict[tuple[str, ...], str], Path | None]:
    """What file and variables say, unchecked; which variable says what; and the file. Raises ConfigError."""
    path = _file(given)
    values = _read(path) if path else {}
    named = dict(_variables(given))
    for keys, value in named.items():
        _set(values, keys, value, given)
    if "TRUEUP_HOME" in given:
        values["home"] = given["TRUEUP_HOME"]
        named["home",] = "TRUEUP_HOME"
    return values, named, path


def source(environment: Mapping[str, str] | None = None) -> Path | None:
    """The file that the configuration was read from; None when there is none."""
    return _file(os.environ if environment is None else environment)


def _file(given: Mapping[str, str]) -> Path | None:
    if "TRUEUP_CONFIG" in given:
        path = Path(given["TRUEUP_CONFIG"])
        if not path.is_file():
            raise ConfigError([f"TRUEUP_CONFIG: there is no file {path}"])
        return path
    usual = Path("config.yaml")
    return usual if usual.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([f"{path}: {' '.join(str(error).split())}"]) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError([f"{path}: must be a map of sections, for example home: ./.trueup"])
    return values


def _variables(given: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each TRUEUP__A__B as its keys and the variable's name; currencies keep their upper case."""
    for name in sorted(given):
        if name.startswith(PREFIX):
            keys = name.removeprefix(PREFIX).lower().split("__")
            yield tuple(key.upper() if _is_currency(keys, at) else key for at, key in enumerate(keys)), name


def _is_currency(keys: Sequence[str], at: int) -> bool:
    return (keys[0] == "ranking_rates" and at == 1) or (list(keys[:2]) == ["remediation", "approval_limit"] and at == 2)


def _set(values: dict[str, Any], keys: tuple[str, ...], name: str, given: Mapping[str, str]) -> None:
    place = values
    for key in keys[:-1]:
        inner = place.get(key)
        place[key] = place = dict(inner) if isinstance(inner, dict) else {}
    place[keys[-1]] = None if given[name] == "" else given[name]
