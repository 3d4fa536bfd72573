"""A taught model as a file: what it is, of which version, and its trees; a file that says otherwise is not loaded.

The trees are a pickle, so a file is loaded only when it is, byte for byte, the one whose sha256 the operational store
recorded when Trueup wrote it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import sklearn

from detector.unusual.examine import Boosted, Forest, Model

FORMAT = 2
MARK = b"trueup unusual model\n"
AGAIN = "teach a new one with `trueup models --teach`"


class ModelFileError(Exception):
    """A model file cannot be used; the message says why and what to do."""


def save(model: Model, path: Path, names: tuple[str, ...]) -> str:
    """Write the model, whole or not at all, and return the file's sha256. `names`: the features it sees, in order."""
    head = {"format": FORMAT, "sklearn": sklearn.__version__, "kind": type(model).__name__, "features": list(names)}
    written = MARK + json.dumps(head).encode() + b"\n" + pickle.dumps(model)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(written)
    beside.replace(path)
    return hashlib.sha256(written).hexdigest()


def load(path: Path, sha256: str, names: tuple[str, ...]) -> Model:
    """The model of a file. Raises ModelFileError when it is missing, not the one recorded, or of another version."""
    try:
        written = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}); put it back, or {AGAIN}") from None
    if hashlib.sha256(written).hexdigest() != sha256:
        raise ModelFileError(f"{path} is not the file that was recorded; {AGAIN}")
    head_line, _, trees = written[len(MARK) :].partition(b"\n")
    head = json.loads(head_line)
    if (head["format"], head["sklearn"], head["features"]) != (FORMAT, sklearn.__version__, list(names)):
        raise ModelFileError(f"{path} was taught by another version; {AGAIN}")
    model = pickle.loads(trees)
    if not isinstance(model, Boosted | Forest):
        raise ModelFileError(f"{path} holds no model")
    return model
