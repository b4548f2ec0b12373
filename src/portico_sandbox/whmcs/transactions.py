"""Money that moved: GetTransactions, GetCredits."""

from __future__ import annotations

from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call
from portico_sandbox.whmcs.rows import CLIENTS, CREDITS, TRANSACTIONS, find, rows_where


def get_transactions(call: Call) -> Answer:
    """Not paged; everybody's where no filter is sent."""
    rows = list(call.sandbox.store.table(TRANSACTIONS).values())
    for name, field in (("invoiceid", "invoiceid"), ("clientid", "userid")):
        if call.text(name):
            rows = [row for row in rows if row[field] == call.number(name)]
    if call.text("transid"):
        rows = [row for row in rows if row["transid"] == call.text("transid")]
    counts = {"totalresults": len(rows), "startnumber": 0, "numreturned": len(rows)}
    return {**counts, "transactions": {"transaction": [shown_transaction(row) for row in rows]}}


def get_credits(call: Call) -> Answer:
    client = find(call.sandbox, CLIENTS, call.number("clientid"))
    if client is None:
        raise ApiRefusal("Client ID Not Found")
    rows = rows_where(call.sandbox, CREDITS, clientid=client["id"])
    names = ("id", "date", "description", "amount", "relid")
    shown = [{name: str(row[name]) for name in names} for row in rows]
    return {"totalresults": len(rows), "clientid": client["id"], "credits": {"credit": shown}}


def shown_transaction(row: Row) -> Answer:
    """All values are strings, ids too."""
    return {name: str(value) for name, value in row.items()}


ACTIONS: dict[str, Action] = {"GetTransactions": get_transactions, "GetCredits": get_credits}
