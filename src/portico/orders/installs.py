"""The eSIM install code as a picture, drawn here: it never goes to a third party."""

from __future__ import annotations

import io

import segno


def qr_code(lpa: str) -> str:
    """An SVG element of the code, to be put into a page as it is; it holds nothing but rectangles."""
    out = io.BytesIO()
    segno.make(lpa, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=2, scale=4, dark="#000", light="#fff", omitsize=True
    )
    return out.getvalue().decode()
