"""Every form of the portal: what somebody types into it, and which systems must answer before it can be sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from portico_sandbox.world_newcomers import FREE, WHMCS_USERS

EID = "89049032000000000000000000000123"
NEWCOMER = FREE[0]


@dataclass(frozen=True)
class Sent:
    typed: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    page: str = ""
    """Where the form stands, if it sends more than is typed."""


APPLICATION = {
    "email": "new.person@mail.example",
    "password": "correct horse battery",
    "customer_number": NEWCOMER.customer_number or "",
    "first_name": "陽菜",
    "last_name": "佐藤",
    "phone": "03-1234-5678",
    "address.postal_code": NEWCOMER.address.postal_code,
    "address.state": "東京都",
    "address.city": "渋谷区",
    "address.street": "神南1-2-3",
}
LINK = {"email": WHMCS_USERS[0].email, "password": WHMCS_USERS[0].password}
ADDRESS = {"postal_code": "160-0023", "state": "東京都", "city": "新宿区", "street": "西新宿2-8-1"}
QUESTION = {"subject": "回線が遅いです", "description": "昨日の夜から速度が出ません。", "priority": "medium"}
FORMS = {
    "POST /billing/invoices/{invoice_id}/pay": Sent(needs=("whmcs",)),
    "POST /billing/payment-methods/manage": Sent({"next": "/checkout"}, ("whmcs",)),
    "POST /cart/items": Sent({"sku": "MOB-ESIM-10GB", "eid": EID}, ("salesforce",)),
    "POST /cart/items/{line}/removal": Sent(needs=("salesforce",)),
    "POST /checkout": Sent(needs=("whmcs", "salesforce"), page="/checkout"),
    "POST /link": Sent(LINK, ("whmcs", "salesforce")),
    "POST /notifications/read": Sent(),
    "POST /orders/{order_id}/cancellation": Sent(needs=("salesforce",)),
    "POST /orders/{order_id}/install": Sent(needs=("salesforce",)),
    "POST /password/forgotten": Sent({"email": "nobody@mail.example"}),
    "POST /password/new": Sent({"token": "x", "new_password": "correct horse battery"}),
    "POST /preferences/language": Sent({"language": "ja"}),
    "POST /preferences/theme": Sent({"theme": "dark"}),
    "POST /profile/address": Sent(ADDRESS, ("whmcs",)),
    "POST /profile/details": Sent({"last_name": "田中", "first_name": "健一", "phone": "03-9999-0000"}, ("whmcs",)),
    "POST /profile/email": Sent({"email": "ken.new@mail.example"}, ("whmcs",)),
    "POST /profile/email/code": Sent({"code": "123456"}),
    "POST /profile/security/password": Sent({"current_password": "x", "new_password": "y"}),
    "POST /profile/security/sessions/end-others": Sent(),
    "POST /profile/security/sessions/{session_id}/end": Sent(),
    "POST /sign-in": Sent({"email": "ken.tanaka@mail.example", "password": "not the password"}),
    "POST /sign-out": Sent(),
    "POST /sign-up": Sent(APPLICATION, ("whmcs", "salesforce")),
    "POST /support/new": Sent(QUESTION, ("salesforce",)),
    "POST /support/{case_id}/messages": Sent({"text": "まだ遅いままです。"}, ("salesforce",)),
}
