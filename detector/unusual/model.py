"""A taught model as a file: what it is, of which version, and its trees; a file that says otherwise is not loaded.

The trees are a pickle, so a file is as trusted as whoever wrote it: load only what Trueup itself has stored.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import sklearn

from detector.unusual.examine import Boosted, Forest, Model

FORMAT = 1
MARK = b"trueup unusual model\n"


class ModelFileError(Exception):
    """A model file cannot be used; the message says why and what to do."""


def save(model: Model, path: Path, names: tuple[str, ...]) -> None:
    """Write the model; the file appears whole or not at all. `names` are the features it sees, in order."""
    trees = pickle.dumps(model)
    head = {
        "format": FORMAT, "sklearn": sklearn.__version__, "kind": type(model).__name__, "features": list(names),
        "sha256": hashlib.sha256(trees).hexdigest(),
    }  # fmt: skip
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(MARK + json.dumps(head).encode() + b"\n" + trees)
    beside.replace(path)


def load(path: Path, names: tuple[str, ...]) -> Model:
    """The model of a file. Raises ModelFileError when it is of another version, sees other features, or is damaged."""
    written = path.read_bytes()
    if not written.startswith(MARK):
        raise ModelFileError(f"{path} is no model file of Trueup")
    head_line, _, trees = written[len(MARK) :].partition(b"\n")
    try:
        head = json.loads(head_line)
    except ValueError:
        raise ModelFileError(f"{path} is damaged; teach the model again") from None
    said = (head.get("format"), head.get("sklearn"), head.get("features"))
    if said != (FORMAT, sklearn.__version__, list(names)):
        raise ModelFileError(f"{path} was taught by another version; teach the model again")
    if hashlib.sha256(trees).hexdigest() != head["sha256"]:
        raise ModelFileError(f"{path} is damaged; teach the model again")
    model = pickle.loads(trees)
    if not isinstance(model, Boosted | Forest):
        raise ModelFileError(f"{path} holds no model")
    return model
