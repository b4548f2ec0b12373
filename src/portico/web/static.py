"""Style sheets, modules and icons: read once at start, addressed by their content, kept by browsers for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from portico.errors import NotFound

FOLDER = Path(__file__).parent.parent / "static"
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    squeezed: bytes
    digest: str
    media_type: str


class Assets:
    """All static files by name; `extra` are made at start (the operator's colors)."""

    def __init__(self, extra: dict[str, str]) -> None:
        files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file()}
        files["portico.css"] = b"".join(path.read_bytes() for path in sorted((FOLDER / "styles").glob("*.css")))
        files |= {name: text.encode() for name, text in extra.items()}
        self._assets = {name: _asset(name, body) for name, body in files.items()}

    def url(self, name: FromPath[str]) -> str:
        """`/static/portico.css?v=…`: the address changes with the content. KeyError for a file that is not there."""
        return f"/static/{name}?v={self._assets[name].digest}"

    def __getitem__(self, name: FromPath[str]) -> Asset:
        if name not in self._assets:
            raise NotFound(name)
        return self._assets[name]


def _asset(name: str, body: bytes) -> Asset:
    media_type = "text/javascript" if name.endswith(".js") else guess_type(name)[0] or "application/octet-stream"
    return Asset(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:12], media_type)


@get("/static/{name:str}", access="public", ids={"name": "static file"}, include_in_schema=False, sync_to_thread=False)
def static_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    assets: Assets = request.app.state.web.assets
    return _answer(request, assets[name])


@get("/favicon.ico", access="public", include_in_schema=False, sync_to_thread=False)
def favicon(request: Request[Any, Any, Any]) -> Response[bytes]:
    assets: Assets = request.app.state.web.assets
    return _answer(request, assets["favicon.svg"])


def _answer(request: Request[Any, Any, Any], asset: Asset) -> Response[bytes]:
    etag = f'"{asset.digest}"'
    forever = request.query_params.get("v") == asset.digest
    headers = {"etag": etag, "vary": "accept-encoding", "cache-control": _FOR_GOOD if forever else _ASK_AGAIN}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.squeezed, headers=headers | {"content-encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.body, headers=headers, media_type=asset.media_type)
