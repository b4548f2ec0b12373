"""PA03-02 account details, PA02-04 cancellation, PA05-01 usage."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from portico_sandbox.clock import TOKYO
from portico_sandbox.freebit.codes import Invented
from portico_sandbox.freebit.lines import LINES, line_of, state_of
from portico_sandbox.freebit.switches import is_on
from portico_sandbox.freebit.wire import Document, Refused, text_in
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

MONTHLY_QUOTA_KB = {"PTC_V_3G": 3_000_000, "PTC_V_10G": 10_000_000, "PTC_V_30G": 30_000_000, "PTC_D_1G": 1_000_000}


def get_details(sandbox: Sandbox, document: Document) -> Document:
    """A line with its details and master; of a master, the linked accounts without their details."""
    asked = document.get("requestDatas")
    if not isinstance(asked, list) or len(asked) != 1 or not isinstance(asked[0], dict):
        raise Refused(Invented.INPUT_WRONG, "requestDatas must be a list of one")
    text_in(document, "displayPass", "10|20", required=False)
    kind, account = text_in(asked[0], "kind", "MASTER|MVNO"), text_in(asked[0], "account", ".{1,64}")
    if kind == "MASTER":
        return {"responseDatas": _linked_accounts(sandbox, account)}
    return {"responseDatas": [_details(sandbox, line_of(sandbox, account))]}


def cancel_account(sandbox: Sandbox, document: Document) -> Document:
    if text_in(document, "kind", ".{1,64}") != "MVNO":
        raise Refused(Invented.INPUT_WRONG, "only the kind MVNO can be cancelled")
    line = line_of(sandbox, text_in(document, "account", r"\d{11,14}"))
    if state_of(sandbox, line) == "obsolete":
        raise Refused(Invented.ACCOUNT_NOT_ACTIVE)
    run_date = text_in(document, "runDate", r"\d{4}([/-]?)\d{2}\1\d{2}", required=False)
    cancelled_at = _start_of(run_date) if run_date else sandbox.clock.now()
    with sandbox.store.begin() as tx:
        tx.change(LINES, line["account"], cancelled_at=cancelled_at.isoformat())
    sandbox.ledger.record("freebit", "PA02-04 cnclAcnt", line["account"], run_date=run_date)
    return {}


def get_usage(sandbox: Sandbox, document: Document) -> Document:
    line = line_of(sandbox, text_in(document, "account", ".{1,64}"))
    if not line["plan_code"]:
        raise Refused(Invented.ACCOUNT_NOT_ACTIVE)
    today, *earlier = (str(kb) for kb in line["usage_kb"])
    traffic = {"today": today, "inRecentDays": ",".join(earlier), "blackList": "20"}
    return {"account": _number(sandbox, line["account"]), "traffic": traffic}


def _linked_accounts(sandbox: Sandbox, master: str) -> list[Document]:
    lines = [line for line in sandbox.store.table(LINES).values() if line["master"] == master]
    if not lines and master != sandbox.settings.freebit_master_account:
        raise Refused(Invented.ACCOUNT_UNKNOWN)
    return [{"kind": "MVNO", "account": _number(sandbox, line["account"])} for line in lines]


def _details(sandbox: Sandbox, line: Row) -> Document:
    """Below the envelope every name is a recollection, `matchingId` not even that: a plain name of ours."""
    state = state_of(sandbox, line)
    details: Document = {
        "kind": "MVNO",
        "account": _number(sandbox, line["account"]),
        "state": state,
        "masterAccount": line["master"],
        "planCode": line["plan_code"],
        "contractLine": line["contract_line"],
        "startDate": line["opened_on"].replace("-", ""),
        "eid": _number(sandbox, line["eid"]),
        "size": "esim",
        "sms": "10",
        "talk": "20" if line["plan_code"].startswith("PTC_D") else "10",
        **_options(sandbox),
        "quota": str(max(0, MONTHLY_QUOTA_KB.get(line["plan_code"], 0) - sum(line["usage_kb"]))),
    }
    if state == "active":
        details |= {"iccid": _number(sandbox, line["iccid"]), "imsi": _number(sandbox, line["imsi"])}
        details["matchingId"] = line["matching_id"]
    if state == "waiting":
        accepted = datetime.fromisoformat(line["accepted_at"]).astimezone(TOKYO)
        details["async"] = {"func": "PA05-41", "date": accepted.strftime("%Y%m%d%H%M%S")}
    return details


def _options(sandbox: Sandbox) -> dict[str, str]:
    names = ("voiceMail", "callWaiting", "worldWing")
    return {name if is_on(sandbox, "camel-case") else name.lower(): "20" for name in names}


def _number(sandbox: Sandbox, digits: str) -> Any:
    return int(digits) if is_on(sandbox, "number-accounts") else digits


def _start_of(run_date: str) -> datetime:
    digits = run_date.replace("/", "").replace("-", "")
    try:
        day = datetime.strptime(digits, "%Y%m%d").date()
    except ValueError as error:
        raise Refused(Invented.INPUT_WRONG, "runDate is no day") from error
    return datetime.combine(day, time(), TOKYO)
