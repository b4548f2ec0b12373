"""Where each call lives. Some paths are hearsay (reference: UNVERIFIED), so every one can be overridden."""

from __future__ import annotations

from typing import Literal

from portico.settings import FreebitSettings

CallId = Literal["PA01-01", "PA02-04", "PA03-02", "PA05-01", "PA05-41"]

PATHS: dict[CallId, str] = {
    "PA01-01": "/authOem/",
    "PA02-04": "/master/cnclAcnt/",
    "PA03-02": "/mvno/getDetail/",  # or /master/getAcnt/
    "PA05-01": "/mvno/getTrafficInfo/",
    "PA05-41": "/mvno/esim/addAcnt/",
}


def address_of(settings: FreebitSettings, call_id: CallId) -> str:
    return settings.url.rstrip("/") + settings.paths.get(call_id, PATHS[call_id])
