"""The text of a PDF that Chromium made: glyphs in the order in which they are drawn, by the fonts' ToUnicode maps."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
_DRAWN = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)> ?Tj|\[(.*?)\] ?TJ|\bBT\b", re.DOTALL)


def text(pdf: bytes) -> str:
    """What a reader of the paper reads, spaces folded."""
    objects: dict[bytes, bytes] = dict(_OBJECT.findall(pdf))
    fonts = {
        f"F{number.decode()}".encode(): _letters(_content(objects[found[1]]))
        for number, body in objects.items()
        if (found := re.search(rb"/ToUnicode (\d+) 0 R", body))
    }
    pages = [_content(body) for body in objects.values() if b" Tf" in _content(body)]
    return " ".join("".join(_read(page, fonts) for page in pages).split())


def _content(body: bytes) -> bytes:
    found = _STREAM.search(body)
    return zlib.decompress(found[1]) if found and b"FlateDecode" in body else b""


def _letters(cmap: bytes) -> dict[bytes, str]:
    """Glyph, as hexadecimal digits in upper case, to text."""
    letters = {}
    for part in re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        for glyph, code in re.findall(rb"<(\w+)> <(\w+)>", part):
            letters[glyph.upper()] = bytes.fromhex(code.decode()).decode("utf-16-be")
    for part in re.findall(rb"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for first, last, code in re.findall(rb"<(\w+)> <(\w+)> <(\w+)>", part):
            for step in range(int(last, 16) - int(first, 16) + 1):
                glyph = f"{int(first, 16) + step:0{len(first)}X}".encode()
                letters[glyph] = chr(int(code, 16) + step)
    return letters


def _read(page: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    letters: dict[bytes, str] = {}
    told = []
    for font, glyphs, spaced in _DRAWN.findall(page):
        if font:
            letters = fonts.get(font, {})
        elif not glyphs and not spaced:
            told.append(" ")
        for run in [glyphs] if glyphs else re.findall(rb"<(\w+)>", spaced):
            wide = len(next(iter(letters), b"00"))
            told += [letters.get(run[at : at + wide].upper(), "") for at in range(0, len(run), wide)]
    return "".join(told)
