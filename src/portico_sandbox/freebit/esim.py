"""PA05-41: a new eSIM line, MNP-in and reissue. 100 means accepted; the line settles later."""

from __future__ import annotations

from dataclasses import dataclass

from portico_sandbox.freebit.codes import UNSUPPORTED_PATTERN, Invented
from portico_sandbox.freebit.lines import LINES, is_taken, line_of, line_with_eid, settles_at, state_of
from portico_sandbox.freebit.wire import Document, Refused, object_in, text_in
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Transaction

# Magic EIDs, by their last five digits.
REFUSED_EID = "99901"  # refused at once and for good
FAILING_EID = "99902"  # accepted, then fails: the line ends up obsolete
STUCK_EID = "99903"  # accepted, then waits for ever


@dataclass(frozen=True)
class Activation:
    """A request that was understood."""

    kind: str
    """`N` new, `M` number brought along, `R` reissue."""

    eid: str
    account: str
    """Empty: a number has to be found."""

    plan_code: str
    contract_line: str
    master: str


def add_account(sandbox: Sandbox, document: Document) -> Document:
    activation = _understood(sandbox, document)
    if activation.eid.endswith(REFUSED_EID):
        raise Refused(Invented.EID_REFUSED)
    if line_with_eid(sandbox, activation.eid):
        raise Refused(Invented.EID_IN_USE)
    account = _reissue(sandbox, activation) if activation.kind == "R" else _open_line(sandbox, activation)
    facts = {"kind": activation.kind, "eid": activation.eid, "plan_code": activation.plan_code}
    sandbox.ledger.record("freebit", "PA05-41 addAcnt", account, **facts)
    return {}


def _understood(sandbox: Sandbox, document: Document) -> Activation:
    aladin = text_in(document, "aladinOperated", "10|20", required=False, default="20")
    kind = text_in(document, "addKind", "[NMR]")
    if aladin == "10" and kind != "N":
        raise Refused(UNSUPPORTED_PATTERN)
    if kind == "M":
        text_in(object_in(document, "mnp"), "reserveNumber", r"\d{10}")
    plan_code = text_in(document, "planCode", "[A-Za-z0-9_]{1,32}", required=False)
    _check_master(document, exempt=kind == "R" or not plan_code)
    number_is_known = kind != "N"
    return Activation(
        kind=kind,
        eid=text_in(document, "eid", r"\d{32}"),
        account=text_in(document, "account", r"\d{11,14}", required=number_is_known),
        plan_code=plan_code,
        contract_line=text_in(document, "contractLine", "4G|5G", required=False, default="5G"),
        master=text_in(document, "masterAccount", ".{1,64}", required=False) or sandbox.settings.freebit_master_account,
    )


def _check_master(document: Document, *, exempt: bool) -> None:
    creates = text_in(document, "createType", "new|add", required=False) == "new"
    text_in(document, "masterPassword", ".{1,256}", required=creates and not exempt)


def _open_line(sandbox: Sandbox, activation: Activation) -> str:
    if activation.account and is_taken(sandbox, activation.account):
        raise Refused(Invented.ACCOUNT_IN_USE)
    with sandbox.store.begin() as tx:
        number = tx.next("freebit_profile")
        account = activation.account or f"0701{tx.next('freebit_number'):07d}"
        row = {
            "account": account,
            "master": activation.master,
            "plan_code": activation.plan_code,
            "contract_line": activation.contract_line,
            "opened_on": sandbox.clock.today().isoformat(),
            "cancelled_at": None,
            "usage_kb": [0],
        }
        tx.put(LINES, account, row)
        _put_profile(tx, sandbox, account, activation.eid, number)
    return account


def _reissue(sandbox: Sandbox, activation: Activation) -> str:
    line = line_of(sandbox, activation.account)
    if state_of(sandbox, line) != "active":
        raise Refused(Invented.ACCOUNT_NOT_ACTIVE)
    with sandbox.store.begin() as tx:
        _put_profile(tx, sandbox, activation.account, activation.eid, tx.next("freebit_profile"))
    return activation.account


def _put_profile(tx: Transaction, sandbox: Sandbox, account: str, eid: str, number: int) -> None:
    fates = {FAILING_EID: "fails", STUCK_EID: "stuck"}
    tx.change(
        LINES,
        account,
        eid=eid,
        iccid=f"898120010000{number:07d}",
        imsi=f"44010{number:010d}",
        matching_id=f"PTC-{number:05d}-{eid[-6:]}",
        accepted_at=sandbox.clock.now().isoformat(),
        settles_at=settles_at(sandbox),
        fate=fates.get(eid[-5:], "well"),
    )
