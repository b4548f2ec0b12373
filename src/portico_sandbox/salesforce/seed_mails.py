"""E-mails on some of the seeded cases: to and from the customer, between staff, and a draft that nobody sent yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, seeding
from portico_sandbox.salesforce.lookup import rows_of
from portico_sandbox.salesforce.objects import ACCOUNT, CASE, EMAIL_MESSAGE
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.store import Row

_READ, _SENT, _DRAFT = "1", "3", "5"
_SUPPORT = "support@demo.example"


@dataclass(frozen=True)
class SeededMail:
    customer_number: str
    case_subject: str
    days_ago: float
    text: str
    status: str = _SENT
    incoming: bool = False
    visible: bool = True
    """Whether the customer may see it."""


MAILS = (
    SeededMail("CN-100401", "自宅の光回線が遅い", 2.4, "夜だけでなく朝も遅くなりました。", _READ, incoming=True),
    SeededMail("CN-100401", "自宅の光回線が遅い", 2.2, "調査の範囲を広げました。金曜日までにご連絡します。"),
    SeededMail("CN-100401", "自宅の光回線が遅い", 2.1, "局舎の担当に転送。返金は未定。", visible=False),
    SeededMail("CN-100401", "自宅の光回線が遅い", 1.0, "原因がわかりました。", _DRAFT),
    SeededMail("CN-100406", "My line is suspended", 5.8, "The card is in my name.", _READ, incoming=True),
    SeededMail("CN-100406", "My line is suspended", 5.7, "Thank you, we see it. The invoice is in your account."),
    SeededMail("CN-100404", "10Gルーターの設定", 1.5, "設定の手順をお送りします。", _DRAFT),
)


def seed_mails(sandbox: Sandbox, midnight: datetime) -> None:
    """Publishes nothing and fills no ledger."""
    people = {person.customer_number: person for person in sandbox.world.people}
    for mail in MAILS:
        case = _case(sandbox, mail)
        person = people[mail.customer_number]
        ends = (person.email, _SUPPORT) if mail.incoming else (_SUPPORT, person.email)
        values = {
            "ParentId": case["Id"],
            "RelatedToId": case["Id"],
            "Subject": mail.case_subject,
            "TextBody": mail.text,
            "FromAddress": ends[0],
            "ToAddress": ends[1],
            "FromName": f"{person.first_name} {person.last_name}" if mail.incoming else "Support",
            "Incoming": mail.incoming,
            "Status": mail.status,
            "IsExternallyVisible": mail.visible,
        }
        with seeding(sandbox, Caller(STAFF_USER_ID, through_api=False), _at(mail, midnight)) as changes:
            rows.create(changes, EMAIL_MESSAGE, values)


def _case(sandbox: Sandbox, mail: SeededMail) -> Row:
    for case in rows_of(sandbox.store, CASE):
        account = sandbox.store.get(ACCOUNT.table, case["AccountId"] or "") or {}
        if (account.get("Customer_Number__c"), case["Subject"]) == (mail.customer_number, mail.case_subject):
            return case
    raise LookupError(f"no seeded case {mail.case_subject} of {mail.customer_number}")


def _at(mail: SeededMail, midnight: datetime) -> datetime:
    return midnight - timedelta(days=mail.days_ago)
