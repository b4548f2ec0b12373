"""Fills the stand-in out of the world: clients, users, products, services, orders, invoices, cards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from portico_sandbox.clock import TOKYO
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row, Transaction
from portico_sandbox.whmcs.clients import new_client_row
from portico_sandbox.whmcs.invoice_machine import credit_row, invoice_row, totals, transaction_row
from portico_sandbox.whmcs.order_machine import order_row
from portico_sandbox.whmcs.paymethods import card_row
from portico_sandbox.whmcs.products import product_row
from portico_sandbox.whmcs.rows import (
    CLIENTS,
    CREDITS,
    GATEWAYS,
    INVOICES,
    ORDERS,
    PAY_METHODS,
    PRODUCTS,
    SERVICES,
    TRANSACTIONS,
    USERS,
)
from portico_sandbox.whmcs.services import service_row
from portico_sandbox.whmcs.users import new_user_row
from portico_sandbox.whmcs.values import ZERO_DATE, add_months, day_from_today, money
from portico_sandbox.world_types import (
    CLIENT_FIELD_CUSTOMER_NUMBER,
    GATEWAY,
    TAX_RATE_PERCENT,
    Card,
    Invoice,
    InvoiceLine,
    Person,
    Service,
)

_GATEWAYS = {GATEWAY: "Credit Card", "banktransfer": "Bank Transfer"}
_STATUS_DATES = {"Paid": "datepaid", "Refunded": "date_refunded", "Cancelled": "date_cancelled"}


def seed(sandbox: Sandbox) -> None:
    """Everything in one transaction; deterministic apart from the day."""
    with sandbox.store.begin() as tx:
        for module, name in _GATEWAYS.items():
            tx.put(GATEWAYS, module, {"module": module, "displayname": name})
        for product in sandbox.world.products:
            tx.put(PRODUCTS, str(product.whmcs_product_id), product_row(product))
        for person in sandbox.world.people:
            if person.whmcs_client_id is not None:
                _Seed(sandbox, tx, person, person.whmcs_client_id).put_all()


@dataclass(frozen=True)
class _Seed:
    sandbox: Sandbox
    tx: Transaction
    person: Person
    client_id: int

    def put_all(self) -> None:
        self._put_client()
        for card in self.person.cards:
            self._put_card(card)
        for service in self.person.services:
            self._put_service(service)
        for invoice in self.person.invoices:
            self._put_invoice(invoice)
        for order_id in dict.fromkeys(service.order_id for service in self.person.services):
            self._put_order(order_id)

    def _put_client(self) -> None:
        person, user_id = self.person, self.person.whmcs_user_id or self.client_id + 1000
        since = max((service.registered_days_ago for service in person.services), default=180) + 1
        created = self._time(-since)
        fields = {str(CLIENT_FIELD_CUSTOMER_NUMBER): person.customer_number} if person.customer_number else {}
        client = new_client_row(self.sandbox, self.client_id, user_id, _profile(person), fields)
        client |= {"status": person.client_status, "defaultgateway": GATEWAY, "datecreated": created}
        client["credit"] = money(person.credit)
        self.tx.put(CLIENTS, str(self.client_id), client)
        user = new_user_row(user_id, person.first_name, person.last_name, person.email, person.password, created)
        user |= {"two_factor": person.two_factor, "clients": [{"id": self.client_id, "isOwner": True}]}
        self.tx.put(USERS, str(user_id), user)
        if person.credit:
            credit = credit_row(self.sandbox, self.client_id, self.client_id, "Opening credit", person.credit)
            self.tx.put(CREDITS, str(credit["id"]), credit)

    def _put_card(self, card: Card) -> None:
        expires = add_months(self.sandbox.clock.today().replace(day=1), card.expires_in_months)
        row = card_row(card.id, self.client_id, card.last_four, card.brand, f"{expires:%Y-%m}", self._time(-40))
        # The token must be the same after every reset.
        self.tx.put(PAY_METHODS, str(card.id), row | {"remote_token": f'{{"method":"pm_seed_{card.id}"}}'})

    def _put_service(self, service: Service) -> None:
        product = self.sandbox.world.product_by_sku[service.sku]
        fields = {
            str(product.whmcs_field("line_number")): service.line_number,
            str(product.whmcs_field("eid")): service.eid,
            str(product.whmcs_field("iccid")): service.iccid,
        }
        recurring = product.billing_cycle == "Monthly"
        row = service_row(
            service.id,
            self.client_id,
            service.order_id,
            product_row(product),
            regdate=self._day(-service.registered_days_ago),
            nextduedate=self._day(service.next_due_in_days) if recurring else ZERO_DATE,
            domain=service.line_number,
            paymentmethod=GATEWAY,
            status=service.status,
            suspensionreason="Overdue on Payment" if service.status == "Suspended" else "",
            customfields=fields,
        )
        self.tx.put(SERVICES, str(service.id), row)

    def _put_invoice(self, invoice: Invoice) -> None:
        issued, due = self._day(-invoice.issued_days_ago), self._day(invoice.due_in_days)
        stamp = self._time(-invoice.issued_days_ago)
        items = [_item(invoice, n, line) for n, line in enumerate(invoice.lines)]
        row = invoice_row(invoice.id, self.client_id, items, date=issued, duedate=due, status=invoice.status)
        row |= {"paymentmethod": GATEWAY, "created_at": stamp, "updated_at": stamp}
        settled = min(invoice.due_in_days, -1)
        if invoice.status in _STATUS_DATES:
            row[_STATUS_DATES[invoice.status]] = self._time(settled)
        if invoice.status in ("Paid", "Refunded"):
            row["datepaid"] = self._time(settled)
            self._put_payment(row, settled)
        self.tx.put(INVOICES, str(invoice.id), row)

    def _put_payment(self, invoice: Row, paid_on: int) -> None:
        amount = money(totals(invoice).total)
        values = {"gateway": GATEWAY, "date": self._time(paid_on), "transid": f"ch_seed_{invoice['id']}"}
        paid = transaction_row(self.sandbox, invoice["id"], invoice, amountin=amount, **values)
        self.tx.put(TRANSACTIONS, str(paid["id"]), paid)
        if invoice["status"] == "Refunded":
            values |= {"transid": f"re_seed_{invoice['id']}", "description": "Refund of Invoice Payment"}
            back = transaction_row(self.sandbox, invoice["id"] + 10_000, invoice, amountout=amount, **values)
            self.tx.put(TRANSACTIONS, str(back["id"]), back | {"refundid": paid["id"]})

    def _put_order(self, order_id: int) -> None:
        ordered = [service for service in self.person.services if service.order_id == order_id]
        rows = [self.tx.change(SERVICES, str(service.id)) for service in ordered]
        products = [product_row(self.sandbox.world.product_by_sku[service.sku]) for service in ordered]
        net = sum(self.sandbox.world.product_by_sku[service.sku].net for service in ordered)
        order = order_row(
            order_id,
            self.client_id,
            rows,
            products,
            ordernum=6_000_000_000 + order_id * 7919,
            date=self._time(-max(service.registered_days_ago for service in ordered)),
            amount=money(net + net * TAX_RATE_PERCENT / 100),
            paymentmethod=GATEWAY,
            invoiceid=0,
            status="Pending" if any(service.status == "Pending" for service in ordered) else "Active",
            ipaddress="127.0.0.1",
        )
        self.tx.put(ORDERS, str(order_id), order)

    def _day(self, days: int) -> str:
        return day_from_today(self.sandbox, days)

    def _time(self, days: int) -> str:
        moment = self.sandbox.clock.now().astimezone(TOKYO).replace(hour=9, minute=15, second=0)
        return (moment + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")


def _profile(person: Person) -> dict[str, str]:
    address = person.address
    return {
        "firstname": person.first_name,
        "lastname": person.last_name,
        "companyname": person.company,
        "email": person.email,
        "address1": address.street,
        "address2": address.street2,
        "city": address.city,
        "state": address.state,
        "postcode": address.postal_code,
        "country": address.country,
        "phonenumber": person.phone,
        "language": person.language,
    }


def _item(invoice: Invoice, n: int, line: InvoiceLine) -> Row:
    return {
        "id": invoice.id * 10 + n,
        "type": "Hosting" if line.service_id else "Item",
        "relid": line.service_id or 0,
        "description": line.description,
        "amount": money(line.net),
        "taxed": 1,
    }
