"""Support cases from before the first day: by the portal and by phone, open and closed, one account's many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, seeding
from portico_sandbox.salesforce.objects import CASE, CASE_COMMENT
from portico_sandbox.salesforce.sessions import INTEGRATION_USER_ID, STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.world_types import Person

_PORTAL = Caller(INTEGRATION_USER_ID, client="portico")
_STAFF = Caller(STAFF_USER_ID, through_api=False)


@dataclass(frozen=True)
class Said:
    days_ago: float
    who: Literal["customer", "staff", "internal"]
    """internal: what staff write for each other; not published."""
    text: str


@dataclass(frozen=True)
class SeededCase:
    customer_number: str
    days_ago: float
    subject: str
    description: str
    status: str = "Closed"
    origin: str = "Portal Website"
    priority: str = "Medium"
    said: tuple[Said, ...] = ()


_MONTHLY = (
    ("請求書の宛名について", "宛名を「株式会社青空商事 経理部」に変更できますか。"),
    ("Fiber speed in the evening", "Between 20:00 and 22:00 we see 200 Mbps instead of 10 Gbps."),
    ("回線の増設", "会議室に回線を増設したいのですが、工事は何日かかりますか。"),
    ("VPN for a new employee", "Please tell us how to add a person to VPN Team."),
    ("支払い方法の変更", "会社のカードが新しくなりました。変更の手順を教えてください。"),
    ("SIMの再発行", "社員が携帯電話を紛失しました。"),
    ("Router light is red", "The router in the entrance shows a red light since this morning."),
    ("領収書の発行", "先月分の領収書をPDFでください。"),
    ("メールが届かない", "請求のお知らせメールが届いていないようです。"),
    ("Maintenance on Sunday", "Is our line affected by the maintenance on Sunday?"),
)


def _settled(customer_number: str, days_ago: float, subject: str, text: str) -> SeededCase:
    answer = "Thank you, this is done." if subject.isascii() else "承りました。手続きは完了しております。"
    return SeededCase(customer_number, days_ago, subject, text, said=(Said(days_ago - 1, "staff", answer),))


CASES = (
    SeededCase(
        "CN-100401",
        40,
        "機種変更でeSIMを移したい",
        "新しい電話に変えました。eSIMを移す方法を教えてください。",
        said=(
            Said(39.8, "staff", "新しい電話のEIDをお知らせください。設定の「一般」>「情報」で確認できます。"),
            Said(39.7, "internal", "EID を待っている。再発行は無料枠の範囲内。"),
            Said(39.5, "customer", "わかりました。注文ページから入力しました。ありがとうございます。"),
            Said(39.1, "staff", "手続きが終わりました。ご利用ありがとうございます。"),
        ),
    ),
    SeededCase(
        "CN-100401",
        3,
        "自宅の光回線が遅い",
        "お電話でのお問い合わせ。夜9時ごろから速度が下がる。",
        "Working",
        "Phone",
        said=(
            Said(2.6, "internal", "局側の装置に過負荷の記録あり。"),
            Said(2.5, "staff", "局側の装置を調べています。金曜日までにご連絡します。"),
        ),
    ),
    SeededCase(
        "CN-100406",
        6,
        "My line is suspended",
        "I was abroad and missed the bill. Can you switch it on again today?",
        "Waiting for Customer",
        "Phone",
        "High",
        (Said(5.9, "staff", "As soon as the invoice is paid, your line starts again by itself within minutes."),),
    ),
    *(_settled("CN-100404", 30 * (len(_MONTHLY) - at), *words) for at, words in enumerate(_MONTHLY)),
    SeededCase(
        "CN-100404",
        2,
        "10Gルーターの設定",
        "固定IPアドレスの設定を確認したい。",
        "Escalated",
        "Phone",
        "High",
    ),
)


def seed_cases(sandbox: Sandbox, midnight: datetime) -> None:
    """Oldest first, so that numbers rise with time. Publishes nothing and fills no ledger."""
    people = {person.customer_number: person for person in sandbox.world.people}
    for case in sorted(CASES, key=lambda each: -each.days_ago):
        case_id = _opened(sandbox, case, people[case.customer_number], midnight)
        for said in case.said:
            _add(sandbox, case_id, said, midnight)


def _opened(sandbox: Sandbox, case: SeededCase, person: Person, midnight: datetime) -> str:
    caller = _PORTAL if case.origin == "Portal Website" else _STAFF
    with seeding(sandbox, caller, midnight - timedelta(days=case.days_ago)) as changes:
        values = {
            "AccountId": person.sf_account_id,
            "ContactId": person.sf_contact_id or None,
            "Subject": case.subject,
            "Description": case.description,
            "Status": case.status,
            "Origin": case.origin,
            "Priority": case.priority,
        }
        return rows.create(changes, CASE, values)


def _add(sandbox: Sandbox, case_id: str, said: Said, midnight: datetime) -> None:
    caller = _PORTAL if said.who == "customer" else _STAFF
    with seeding(sandbox, caller, midnight - timedelta(days=said.days_ago)) as changes:
        comment = {"ParentId": case_id, "CommentBody": said.text, "IsPublished": said.who != "internal"}
        rows.create(changes, CASE_COMMENT, comment)
