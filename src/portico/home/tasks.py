"""What waits for the customer, the most urgent first: one sentence and one link each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from portico.billing.payment_methods import PayMethod, today
from portico.home.bills import MoneyDue
from portico.home.summary import Summary
from portico.i18n import Message, _m
from portico.portal import Portal
from portico.systems.salesforce.orders import Order

Tone = Literal["bad", "warning", "good", "info"]
Code = Literal[
    "invoice_overdue",
    "order_waiting",
    "payment_method_missing",
    "payment_method_expiring",
    "esim_ready",
    "case_waiting",
    "notices_unread",
]

EXPIRES_WITHIN_DAYS = 30

ONE_OVERDUE = _m("Your invoice of %(amount)s is overdue. Pay now, so that your services go on without a break.")
MANY_OVERDUE = _m(
    "%(number)s invoices are overdue, %(amount)s together. Pay now, so that your services go on without a break."
)
ORDER_WAITING = _m("Your order needs you: %(product)s. It goes on by itself afterwards.")
NO_METHOD = _m(
    "You have no valid payment method. Add a card; you need one before you can order, and for your next bill."
)
EXPIRING = _m("Your card ending in %(end)s is good until %(day)s only. Add a new one before your next bill.")
EXPIRING_PLAIN = _m("Your payment method is good until %(day)s only. Add a new one before your next bill.")
ESIM_READY = _m("Your eSIM is ready to install: %(product)s.")
CASE_WAITING = _m("Our support waits for your answer: %(subject)s")
CASE_WAITING_PLAIN = _m("Our support waits for your answer.")
ONE_UNREAD = _m("You have one new notification.")
MANY_UNREAD = _m("You have %(number)s new notifications.")

PAY = _m("See and pay")
SEE = _m("See what to do")
ADD_CARD = _m("Add a card")
INSTALL = _m("Install it")
ANSWER = _m("Answer")
READ = _m("Read")


@dataclass(frozen=True)
class Task:
    code: Code
    tone: Tone
    message: Message
    address: str
    label: Message


def tasks_of(portal: Portal, summary: Summary, unread: int) -> list[Task]:
    """Of the parts that could be read; `unread` notices."""
    return [
        *_invoices(summary.due.value),
        *_orders(summary),
        *_methods(summary, today(portal)),
        *_installs(summary),
        *_cases(summary),
        *_notices(unread),
    ]


def _invoices(due: MoneyDue | None) -> Iterator[Task]:
    if due is None or not due.overdue:
        return
    message = ONE_OVERDUE(amount=due.overdue_total)
    if due.overdue > 1:
        message = MANY_OVERDUE(number=due.overdue, amount=due.overdue_total)
    yield Task("invoice_overdue", "bad", message, pay_address(due), PAY)


def pay_address(due: MoneyDue) -> str:
    return f"/billing/invoices/{due.invoices[0].id}" if len(due.invoices) == 1 else "/billing?status=unpaid"


def _orders(summary: Summary) -> Iterator[Task]:
    for one in summary.orders.value.under_way if summary.orders.value else ():
        if one.status.code == "needs_you":
            order = one.known.order
            message = ORDER_WAITING(product=product_of(order))
            yield Task("order_waiting", "warning", message, f"/orders/{order.id}", SEE)


def _methods(summary: Summary, day: date) -> Iterator[Task]:
    methods = summary.methods.value
    if methods is None:
        return
    usable = [method for method in methods if method.is_usable(day)]
    if not usable:
        tone: Tone = "warning" if summary.services.value or methods else "info"
        yield Task("payment_method_missing", tone, NO_METHOD, "/billing/payment-methods", ADD_CARD)
        return
    ends = [method.expires for method in usable if method.expires]
    if len(ends) == len(usable) and (max(ends) - day).days <= EXPIRES_WITHIN_DAYS:
        last = max(usable, key=lambda method: method.expires or date.min)
        yield Task("payment_method_expiring", "warning", _expiring(last), "/billing/payment-methods", ADD_CARD)


def _expiring(method: PayMethod) -> Message:
    if method.last_four:
        return EXPIRING(end=method.last_four, day=method.expires)
    return EXPIRING_PLAIN(day=method.expires)


def _installs(summary: Summary) -> Iterator[Task]:
    for one in summary.orders.value.installable if summary.orders.value else ():
        order = one.known.order
        yield Task("esim_ready", "good", ESIM_READY(product=product_of(order)), f"/orders/{order.id}", INSTALL)


def _cases(summary: Summary) -> Iterator[Task]:
    for case in summary.cases.value or ():
        if case.waits_for_customer:
            message = CASE_WAITING(subject=case.subject) if case.subject else CASE_WAITING_PLAIN
            yield Task("case_waiting", "warning", message, f"/support/{case.id}", ANSWER)


def _notices(unread: int) -> Iterator[Task]:
    if unread:
        message = ONE_UNREAD if unread == 1 else MANY_UNREAD(number=unread)
        yield Task("notices_unread", "info", message, "/notifications", READ)


def product_of(order: Order) -> str:
    """What a customer calls an order: the plan in it, else its first product, else its number."""
    names = sorted(order.items, key=lambda item: item.billing_cycle != "Monthly")
    return names[0].product_name if names else order.number
