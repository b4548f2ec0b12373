"""PA01-01: the partner's credential for an authKey, and the check of that key on every other call."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.switches import is_on
from portico_sandbox.freebit.wire import Document, Refused, text_in
from portico_sandbox.sandbox import Sandbox


def auth_oem(sandbox: Sandbox, document: Document) -> Document:
    given = [text_in(document, "oemId", ".{1,64}"), text_in(document, "oemKey", ".{1,256}")]
    right = [sandbox.settings.freebit_oem_id, sandbox.settings.freebit_oem_key]
    if given != right:
        raise Refused(Invented.CREDENTIAL_WRONG)
    if is_on(sandbox, "one-key"):
        forget_keys(sandbox)
    key = secrets.token_hex(24)
    with sandbox.store.begin() as tx:
        tx.put("freebit_keys", key, {"issued_at": sandbox.clock.now().isoformat()})
    return {"authKey": key}


def check_key(sandbox: Sandbox, document: Document) -> None:
    row = sandbox.store.get("freebit_keys", text_in(document, "authKey", ".{1,256}"))
    if row is None:
        raise Refused(Invented.AUTH_KEY_WRONG)
    age = sandbox.clock.now() - datetime.fromisoformat(row["issued_at"])
    if age >= timedelta(seconds=sandbox.settings.freebit_auth_ttl_seconds):
        raise Refused(Invented.AUTH_KEY_WRONG)


def forget_keys(sandbox: Sandbox) -> int:
    keys = list(sandbox.store.table("freebit_keys"))
    with sandbox.store.begin() as tx:
        for key in keys:
            tx.delete("freebit_keys", key)
    return len(keys)
