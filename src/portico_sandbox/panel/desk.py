"""What waits for the foreign staff right now, read from the stand-ins' stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from portico_sandbox.buttons import Button, Field
from portico_sandbox.freebit.lines import LINES, state_of
from portico_sandbox.panel.review import suggested_number
from portico_sandbox.salesforce.lookup import children_of, row_of, rows_of
from portico_sandbox.salesforce.objects import ACCOUNT, CASE, ORDER, PRICEBOOK_ENTRY, PRODUCT2
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row
from portico_sandbox.whmcs.invoice_machine import totals
from portico_sandbox.whmcs.rows import CLIENTS, INVOICES, find, rows_where

AT_MOST = 12
"""Of each kind, newest first: a desk with more on it helps nobody."""


@dataclass(frozen=True)
class Action:
    """A button, with what is known filled in; the person is asked for the rest."""

    button: Button
    given: Mapping[str, str]
    is_main: bool = True
    suggested: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> list[Field]:
        fields = [each for each in self.button.fields if each.name not in self.given]
        return [replace(each, default=self.suggested.get(each.name, each.default)) for each in fields]


@dataclass(frozen=True)
class Task:
    system: str
    title: str
    since: str
    facts: tuple[tuple[str, str], ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Desk:
    waiting: list[Task]
    unpaid: list[Task]


def desk_of(sandbox: Sandbox, buttons: Sequence[Button]) -> Desk:
    drawer = _Drawer(buttons)
    waiting = [
        *_orders_to_review(sandbox, drawer),
        *_lines_waiting(sandbox, drawer),
        *_open_cases(sandbox, drawer),
    ]
    return Desk(waiting, list(_unpaid_invoices(sandbox, drawer)))


_NOTHING: Mapping[str, str] = MappingProxyType({})


class _Drawer:
    """Finds a button; one that a system does not offer is left off the desk."""

    def __init__(self, buttons: Sequence[Button]) -> None:
        self._buttons = {(button.system, button.name): button for button in buttons}

    def actions(
        self, system: str, names: Sequence[str], given: Mapping[str, str], suggested: Mapping[str, str] = _NOTHING
    ) -> tuple[Action, ...]:
        """The first name is the main action; "" where there is none."""
        found = [self._buttons[system, name] for name in names if (system, name) in self._buttons]
        return tuple(Action(button, given, button.name == names[0], suggested) for button in found)


def _orders_to_review(sandbox: Sandbox, drawer: _Drawer) -> Iterator[Task]:
    waiting = [order for order in rows_of(sandbox.store, ORDER) if order["Status"] == "Pending Review"]
    for order in waiting[: -AT_MOST - 1 : -1]:
        items = children_of(sandbox.store, "OrderItem", "OrderId", order["Id"])
        # Only an eSIM has its EID on the item, and only such a line is numbered by staff.
        unnumbered = any(item["EID__c"] and not item["Line_Number__c"] for item in items)
        suggested = {"number": suggested_number(order["OrderNumber"])} if unnumbered else {}
        given = {"order": order["Id"]} if unnumbered else {"order": order["Id"], "number": ""}
        yield Task(
            "salesforce",
            f"Order {order['OrderNumber']} of {_account_name(sandbox, order)} waits for review",
            order["CreatedDate"],
            (
                ("Items", ", ".join(_item_name(sandbox, item) for item in items)),
                ("Deliver to", _address(order)),
                ("Id", order["Id"]),
            ),
            (
                *drawer.actions("salesforce", ("review-order",), given, suggested),
                *drawer.actions("salesforce", ("", "cancel-order"), {"order": order["Id"]}),
            ),
        )


def _lines_waiting(sandbox: Sandbox, drawer: _Drawer) -> Iterator[Task]:
    waiting = [line for line in sandbox.store.table(LINES).values() if state_of(sandbox, line) == "waiting"]
    for line in waiting[: -AT_MOST - 1 : -1]:
        yield Task(
            "freebit",
            f"Line {line['account']} waits for its eSIM",
            line["accepted_at"],
            (("EID", line["eid"]), ("Plan", line["plan_code"])),
            drawer.actions("freebit", ("finish-activation", "fail-activation"), {"line": line["account"]}),
        )


def _open_cases(sandbox: Sandbox, drawer: _Drawer) -> Iterator[Task]:
    waiting = [
        case for case in rows_of(sandbox.store, CASE) if case["Origin"] == "Portal Website" and not case["IsClosed"]
    ]
    for case in waiting[: -AT_MOST - 1 : -1]:
        yield Task(
            "salesforce",
            f"Case {case['CaseNumber']} of {_account_name(sandbox, case)}: {case['Subject'] or ''}",
            case["CreatedDate"],
            (("Status", case["Status"]), ("Question", case["Description"] or "")),
            drawer.actions("salesforce", ("answer-case",), {"case": case["Id"], "status": ""}),
        )


def _unpaid_invoices(sandbox: Sandbox, drawer: _Drawer) -> Iterator[Task]:
    for invoice in rows_where(sandbox, INVOICES, status="Unpaid")[: -AT_MOST - 1 : -1]:
        yield Task(
            "whmcs",
            f"Invoice {invoice['id']} of {_client_name(sandbox, invoice['userid'])}",
            "",
            (("Total", f"¥{totals(invoice).total:,.0f}"), ("Due", invoice["duedate"])),
            drawer.actions("whmcs", ("", "pay-invoice"), {"invoice_id": str(invoice["id"]), "amount": ""}),
        )


def _account_name(sandbox: Sandbox, row: Row) -> str:
    account = row_of(sandbox.store, ACCOUNT, row["AccountId"])
    return str(account["Name"]) if account else "nobody"


def _client_name(sandbox: Sandbox, client_id: int) -> str:
    client = find(sandbox, CLIENTS, client_id)
    if client is None:
        return "nobody"
    first, last = client["firstname"], client["lastname"]
    return client["companyname"] or (f"{first} {last}" if last.isascii() else f"{last} {first}")


def _item_name(sandbox: Sandbox, item: Row) -> str:
    entry = row_of(sandbox.store, PRICEBOOK_ENTRY, item["PricebookEntryId"])
    product = row_of(sandbox.store, PRODUCT2, entry["Product2Id"]) if entry else None
    name = str(product["Name"]) if product else "?"
    return name if item["Quantity"] == 1 else f"{item['Quantity']:g} × {name}"


def _address(order: Row) -> str:
    parts = (order.get(f"Shipping{part}") for part in ("PostalCode", "State", "City", "Street"))
    return " ".join(str(part) for part in parts if part)
