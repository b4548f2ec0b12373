"""The invoices of the world, made by rule: the same ones after every reset."""

from __future__ import annotations

from portico_sandbox.world_types import Invoice, InvoiceLine, InvoiceStatus


def monthly_bills(first_id: int, count: int, *lines: InvoiceLine, newest: str = "Paid") -> tuple[Invoice, ...]:
    """One bill a month, newest first and with the highest id; all paid but perhaps the newest.

    `newest` is `Paid`, `Unpaid` (due in 9 days) or `Overdue` (unpaid since 16 days).
    """
    bills = [_bill(first_id + count - 1 - age, age, lines) for age in range(count)]
    if newest == "Unpaid":
        bills[0] = Invoice(bills[0].id, "Unpaid", 5, 9, lines)
    elif newest == "Overdue":
        bills[0] = Invoice(bills[0].id, "Unpaid", 30, -16, lines)
    return tuple(bills)


def company_bills(first_id: int, count: int, *lines: InvoiceLine) -> tuple[Invoice, ...]:
    """A bill every ten days over years, with every status that WHMCS knows somewhere among them."""
    return tuple(_company_bill(first_id + count - 1 - age, age, lines) for age in range(count))


def _bill(invoice_id: int, age: int, lines: tuple[InvoiceLine, ...]) -> Invoice:
    return Invoice(invoice_id, "Paid", 5 + 30 * age, 9 - 30 * age, lines)


def _company_bill(invoice_id: int, age: int, lines: tuple[InvoiceLine, ...]) -> Invoice:
    issued, due = 3 + 10 * age, 11 - 10 * age
    # Amounts differ from bill to bill, so that sorting and searching by amount show something.
    some = (*lines[: 1 + age % len(lines)], InvoiceLine("Calls beyond the plan", 10 * (age % 90)))
    return Invoice(invoice_id, _company_status(age), issued, due, some)


def _company_status(age: int) -> InvoiceStatus:
    newest: dict[int, InvoiceStatus] = {0: "Draft", 1: "Unpaid", 2: "Payment Pending", 5: "Collections"}
    if age in newest:
        return newest[age]
    if age % 37 == 0:
        return "Refunded"
    return "Cancelled" if age % 41 == 0 else "Paid"
