"""What the world is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TAX_RATE_PERCENT = 10
"""Consumption tax; WHMCS adds it to every taxed line."""


InvoiceStatus = Literal["Paid", "Unpaid", "Cancelled", "Refunded", "Collections", "Payment Pending", "Draft"]


@dataclass(frozen=True)
class Address:
    postal_code: str  # 100-0001
    state: str  # prefecture
    city: str
    street: str
    street2: str = ""
    country: str = "JP"


@dataclass(frozen=True)
class Card:
    """A stored card at WHMCS."""

    id: int
    last_four: str
    brand: str = "Visa"
    expires_in_months: int = 24  # negative: expired


@dataclass(frozen=True)
class InvoiceLine:
    description: str
    net: int  # JPY
    service_id: int | None = None


@dataclass(frozen=True)
class Invoice:
    id: int
    status: InvoiceStatus
    issued_days_ago: int
    due_in_days: int  # from today; negative: past
    lines: tuple[InvoiceLine, ...]


@dataclass(frozen=True)
class Service:
    """A WHMCS service (a subscription of the customer)."""

    id: int
    order_id: int
    sku: str
    status: Literal["Active", "Pending", "Suspended", "Cancelled", "Terminated"]
    registered_days_ago: int
    next_due_in_days: int
    line_number: str = ""  # the phone number, digits only

    @property
    def eid(self) -> str:
        """Of the eSIM that the line lives on; 32 digits."""
        return f"8904903200000888000000{self.id:010d}" if self.line_number else ""

    @property
    def iccid(self) -> str:
        """19 digits."""
        return f"898120000000{self.id:07d}" if self.line_number else ""


@dataclass(frozen=True)
class Person:
    """One customer. `sf_account_id` empty: unknown to Salesforce. `whmcs_client_id` None: not at WHMCS yet."""

    first_name: str  # as stored; Latin or Japanese
    last_name: str
    email: str
    phone: str
    address: Address
    customer_number: str  # empty: the WHMCS client's field is empty as well
    sf_account_id: str  # 18 characters, checksum right; empty when not in Salesforce
    sf_contact_id: str
    role: Literal["free", "whmcs_user", "ready", "other"]
    """free: number free to sign up with; whmcs_user: WHMCS client without portal user; ready: portal user as well."""
    eligibility: tuple[str, ...] = ()
    internet_eligibility: str = "Not checked"
    internet_offering: str = ""
    id_verification: str = "Not submitted"
    portal_status: str = "Not invited"
    company: str = ""
    password: str = ""  # of the portal (ready) and of WHMCS (whmcs_user, ready)
    whmcs_client_id: int | None = None
    whmcs_user_id: int | None = None
    language: str = "japanese"
    credit: int = 0
    cards: tuple[Card, ...] = ()
    services: tuple[Service, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    client_status: Literal["Active", "Inactive", "Closed"] = "Active"
    two_factor: bool = False
    notes: str = ""  # why this person is in the world

    @property
    def name(self) -> str:
        if self.last_name.isascii():
            return f"{self.first_name} {self.last_name}"
        return f"{self.last_name} {self.first_name}"

    @property
    def account_name(self) -> str:
        """Of the Salesforce account: the company, or the person."""
        return self.company or self.name

    @property
    def may_link(self) -> bool:
        """Whether this WHMCS user can become a portal user as things stand."""
        return self.role == "whmcs_user" and bool(self.sf_account_id) and not self.two_factor


@dataclass(frozen=True)
class Product:
    """One sellable thing: a Product2 with its pricebook entry, and the WHMCS product that bills it."""

    sku: str
    name: str
    description: str
    category: Literal["Internet", "Mobile", "VPN", "Other"]
    item_class: Literal["Service", "Activation", "Installation", "Add-on"]
    billing_cycle: Literal["Monthly", "One time"]
    net: int  # JPY
    sf_product_id: str  # 18 characters
    sf_entry_id: str  # in the portal pricebook
    whmcs_product_id: int
    display_order: int
    sim_kind: Literal["", "Physical", "eSIM"] = ""
    freebit_plan_code: str = ""
    requires_sku: str = ""
    excludes_sku: str = ""
    eligibility: tuple[str, ...] = ()
    is_active: bool = True
    portal_visible: bool = True
    orderable: bool = True
    available: bool = True
    promotion: str = ""

    def whmcs_field(self, name: Literal["order_item", "line_number", "eid", "iccid"]) -> int:
        """The id of this product's custom field: in WHMCS every product has fields of its own."""
        return self.whmcs_product_id * 10 + ("order_item", "line_number", "eid", "iccid").index(name) + 1


@dataclass(frozen=True)
class Staff:
    email: str
    password: str
    role: str


CLIENT_FIELD_CUSTOMER_NUMBER = 11
CLIENT_FIELD_PORTAL_MARKER = 12
GATEWAY = "stripe"
