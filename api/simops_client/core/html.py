"""Jobs and sweeps in a notebook."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

_COLOURS = {"Succeeded": "#2e7d32", "Failed": "#c62828", "Cancelled": "#6d4c41", "Running": "#1565c0"}
_MOST_ENTRIES = 30
_MOST_TEXT = 500


def html_of(title: str, status: str, rows: Mapping[str, Any]) -> str:
    """Return a small table. Everything in it is somebody's text, and none of it becomes a part of the page's language."""
    colour = _COLOURS.get(status, "#616161")
    head = f'<b>{escape(title)}</b> <span style="color:{colour}">{escape(status)}</span>'
    body = "".join(
        f'<tr><td style="text-align:left">{escape(name)}</td><td style="text-align:left">{escape(_text(value))}</td></tr>'
        for name, value in rows.items()
        if value
    )
    return f"<div>{head}<table>{body}</table></div>"


def _text(value: Any) -> str:
    match value:
        case datetime():
            text = value.isoformat(sep=" ", timespec="seconds")
        case Mapping():
            shown = [f"{name} = {one}" for name, one in list(value.items())[:_MOST_ENTRIES]]
            text = ", ".join(shown) + (", …" if len(value) > _MOST_ENTRIES else "")
        case _:
            text = str(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
