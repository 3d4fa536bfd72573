"""The console's own files, served under names that hold their content's hash.

A name changes when its content does, so browsers keep a file for ever and a new release is seen at once. Everything is
read and compressed when the process starts: serving costs no disk and no compression.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, Response, abort, request

FOLDER = Path(__file__).parent / "static"
KINDS = (".woff2", ".svg", ".js")
STYLES = {"console.css": "styles", "editor.css": "styles/editor"}
"""Each stylesheet is all of a folder, in the order of the files' names; the pages of rules alone have the other."""


@dataclass(frozen=True)
class Asset:
    """One file: its hashed name, its bytes and, where that is smaller, the same bytes compressed."""

    name: str
    body: bytes
    packed: bytes | None
    kind: str


def _without_remarks(script: bytes) -> bytes:
    """A script of ours without the lines that only remark on it, and without indentation."""
    return re.sub(rb"^[ \t]+|^[ \t]*//.*\n", b"", script, flags=re.MULTILINE)


class Assets:
    """All files of one folder by plain name (`console.css`) and by hashed name (`console.3fa9b1c2.css`)."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._by_name: dict[str, Asset] = {}
        for kind in KINDS:
            for path in sorted(folder.glob(f"*{kind}")):
                body = path.read_bytes()
                own = kind == ".js" and ".min." not in path.name
                self._by_name[path.name] = self._asset(path.name, _without_remarks(body) if own else body)
        for name, place in STYLES.items():
            self._by_name[name] = self._asset(name, self._styles(folder / place))
        self._by_hashed = {asset.name: asset for asset in self._by_name.values()}

    def _styles(self, folder: Path) -> bytes:
        """The stylesheets as one, without comments and needless space, naming files by their hashed names."""
        text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.css")))
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        text = re.sub(r"\s*([{};,])\s*", r"\1", text).replace(": ", ":").replace(";}", "}")
        for plain, asset in self._by_name.items():
            text = text.replace(f'url("{plain}")', f'url("{asset.name}")')
        return text.encode()

    def _asset(self, name: str, body: bytes) -> Asset:
        stem, suffix = Path(name).stem, Path(name).suffix
        packed = None if suffix == ".woff2" else gzip.compress(body, 9, mtime=0)
        digest = hashlib.sha256(body).hexdigest()[:10]
        kind = "font/woff2" if suffix == ".woff2" else mimetypes.types_map[suffix]
        return Asset(f"{stem}.{digest}{suffix}", body, packed, kind)

    def url(self, name: str) -> str:
        """The address of a file by its plain name. Raises KeyError when there is no such file."""
        return f"/static/{self._by_name[name].name}"

    def answer(self, hashed: str) -> Response:
        """The file of a hashed name, to be kept for ever; 404 for any other name."""
        asset = self._by_hashed.get(hashed)
        if asset is None:
            abort(404)
        packed = asset.packed if request.accept_encodings.quality("gzip") else None
        answer = Response(packed or asset.body, mimetype=asset.kind)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        answer.vary.add("Accept-Encoding")
        return answer


@cache
def _every() -> Assets:
    """Those of this program, read and packed once in a process."""
    return Assets()


def serve_assets(app: Flask) -> Assets:
    """Adds `/static/<hashed name>` to the app and `asset(name)` to its templates."""
    assets = _every()
    app.add_url_rule("/static/<hashed>", "asset", assets.answer)
    app.jinja_env.globals["asset"] = assets.url
    return assets
