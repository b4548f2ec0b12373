"""Ways in which the vendor's answers are suspected to differ; each can be switched on while the sandbox runs."""

from __future__ import annotations

from portico_sandbox.sandbox import Sandbox

SWITCHES = {
    "number-codes": "resultCode and statusCode arrive as numbers, not as text",
    "number-accounts": "account, iccid and eid arrive as numbers, so that a leading zero is lost",
    "camel-case": "voiceMail, callWaiting and worldWing instead of voicemail, callwaiting and worldwing",
    "one-key": "a new authKey revokes the older ones",
}


def is_on(sandbox: Sandbox, switch: str) -> bool:
    return sandbox.store.get("freebit_switches", switch) is not None


def turn(sandbox: Sandbox, switch: str, on: bool) -> None:
    with sandbox.store.begin() as tx:
        if on:
            tx.put("freebit_switches", switch, {"on": True})
        else:
            tx.delete("freebit_switches", switch)
