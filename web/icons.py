"""The few icons, drawn as strokes in the text's colour."""

from __future__ import annotations

from markupsafe import Markup

_STROKES = {
    "keyboard": "M3 6h14v8H3zM6 9h.01M9 9h.01M12 9h.01M14.5 9h.01M7 11.7h6",
    "person": "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
    "sliders": "M3 6.5h8M15 6.5h2M3 13.5h2M9 13.5h8M13 4.7v3.6M7 11.7v3.6",
    "close": "M5.5 5.5l9 9M14.5 5.5l-9 9",
    "down": "M6 8l4 4 4-4",
    "up": "M6 12l4-4 4 4",
    "filter": "M3 5.5h14M6 10h8M8.5 14.5h3",
    "equal": "M5 7.5h10M5 12.5h10",
    "unequal": "M5 7.5h10M5 12.5h10M13 4.5l-6 11",
    "previous": "M12 5l-5 5 5 5",
    "next": "M8 5l5 5-5 5",
    "check": "M5 10.5l3.5 3.5L15.5 6.5",
    "bell": "M6 13V9a4 4 0 0 1 8 0v4l1.5 1.5h-11zM8.5 16.5h3",
    "away": "M8 5H5v10h10v-3M11 4.5h4.5V9M15 5l-6 6",
}
_MARK = Markup(
    '<svg viewBox="0 0 20 20" aria-hidden="true"><rect width="20" height="20" rx="5.5" fill="#2d4bc8"/>'
    '<path d="M5 6.2h10M5 10h10M5 13.8h5.6" stroke="#fff" stroke-width="1.8" stroke-linecap="round"/>'
    '<circle cx="14.3" cy="13.8" r="1.5" fill="#fff"/></svg>'
)


def icon(name: str) -> Markup:
    """The icon as inline SVG, hidden from readers: the text beside it says the same. Raises KeyError when unknown."""
    if name == "mark":
        return _MARK
    return Markup(
        '<svg viewBox="0 0 20 20" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.6" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="{}"/></svg>'
    ).format(_STROKES[name])
