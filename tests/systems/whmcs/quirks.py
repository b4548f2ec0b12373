"""The shapes in which WHMCS may answer: every read must come out the same in each of them."""

from __future__ import annotations

QUIRKS: tuple[tuple[str, str], ...] = (
    ("numbers", "strings"),
    ("numbers", "ints"),
    ("numbers", "mixed"),
    ("empty", "blank"),
    ("empty", "missing"),
    ("empty", "list"),
    ("single", "object"),
    ("numeric_keys", "on"),
    ("flatten", "on"),
    ("entities", "on"),
    ("toplevel_client", "never"),
    ("toplevel_client", "only"),
)
"""Switch of the sandbox and its value."""
