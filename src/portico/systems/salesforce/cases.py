"""Support cases: an account's, with what was said in each; opening one; saying something in one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from portico.customer import SfAccountId
from portico.errors import NotFound, SystemDown, SystemRefused
from portico.systems.salesforce.client import Salesforce
from portico.systems.salesforce.errors import SYSTEM, CaseExists
from portico.systems.salesforce.rows import Row
from portico.systems.salesforce.sf_id import SfCaseId, SfContactId
from portico.systems.salesforce.sf_id import account_id as checked_account
from portico.systems.salesforce.sf_id import case_id as checked_case
from portico.systems.salesforce.soql import names, soql

__all__ = [
    "Author", "Case", "CaseExists", "CaseInFull", "CaseState", "Comment", "NewCase", "Priority", "SfCaseId",
    "SfContactId", "add_comment", "create_case", "find_cases_by_marker", "find_contact", "get_case", "get_cases",
    "said_already",
]  # fmt: skip

# The owner stands in each query itself: somebody else's case is not even read. So does IsPublished: what staff say
# among themselves never leaves Salesforce.
CASES_OF_ACCOUNT = """
SELECT {fields}, (
    SELECT Id, CommentBody, CreatedDate, CreatedById, IsPublished FROM CaseComments
    WHERE IsPublished = TRUE ORDER BY CreatedDate DESC, Id DESC LIMIT 1
){emails} FROM Case WHERE AccountId = {account} ORDER BY CreatedDate DESC, CaseNumber DESC
""".strip()
CASE_OF_ACCOUNT = """
SELECT {fields}, Description, (
    SELECT Id, CommentBody, CreatedDate, CreatedById, IsPublished FROM CaseComments
    WHERE IsPublished = TRUE ORDER BY CreatedDate, Id
){emails} FROM Case WHERE Id = {case} AND AccountId = {account}
""".strip()
EMAILS = """, (
    SELECT Id, Subject, TextBody, Incoming, Status, IsExternallyVisible, MessageDate, CreatedDate FROM EmailMessages
    WHERE IsExternallyVisible = TRUE AND Status != {draft} ORDER BY MessageDate DESC NULLS LAST, Id DESC LIMIT {most}
)"""
"""Asked for only where the settings say that the org has them: elsewhere the name alone is an error."""
CASES_BY_MARKER = "SELECT Id FROM Case WHERE {marker_field} = {marker}"
OWNED_CASE = "SELECT Id FROM Case WHERE Id = {case} AND AccountId = {account}"
CONTACTS = "SELECT Id, Email FROM Contact WHERE AccountId = {account} ORDER BY CreatedDate, Id LIMIT 200"

FIELDS = (
    "Id", "CaseNumber", "AccountId", "Subject", "Status", "IsClosed", "Priority", "Origin", "CreatedDate",
    "LastModifiedDate",
)  # fmt: skip

LONGEST_SUBJECT = 255
LONGEST_DESCRIPTION = 32_000
"""Both in UTF-16 units, as Salesforce counts characters."""
LONGEST_COMMENT_BYTES = 4_000
"""Of UTF-8: 1,333 Japanese characters."""

CaseState = Literal["received", "in_progress", "escalated", "waiting_for_customer", "closed", "other"]
Priority = Literal["high", "medium", "low"]
Author = Literal["customer", "support"]
Channel = Literal["portal", "email"]
MOST_EMAILS = 200
"""Of one case: the newest."""


@dataclass(frozen=True)
class Comment:
    """A published one, or an e-mail of the case. Whatever the portal's own user wrote is the customer's."""

    id: str
    text: str
    author: Author
    created_at: datetime
    channel: Channel = "portal"


@dataclass(frozen=True)
class Case:
    id: SfCaseId
    number: str
    subject: str
    """Empty where it has none."""
    state: CaseState
    status: str
    """The org's own word for it."""
    is_closed: bool
    priority: Priority | None
    opened_here: bool
    """By the customer, in the portal: then its description is the customer's own words."""
    created_at: datetime
    changed_at: datetime
    last_comment: Comment | None

    @property
    def waits_for_customer(self) -> bool:
        """By its status, until they have answered: staff change the status only when they have read the answer."""
        answered = self.last_comment is not None and self.last_comment.author == "customer"
        return self.state == "waiting_for_customer" and not answered


@dataclass(frozen=True)
class CaseInFull:
    case: Case
    description: str
    comments: tuple[Comment, ...]
    """Oldest first."""


@dataclass(frozen=True)
class NewCase:
    marker: str
    """Unique; a second case with it is refused."""
    account_id: SfAccountId
    contact_id: SfContactId | None
    subject: str
    description: str
    priority: Priority


async def get_cases(sf: Salesforce, account_id: SfAccountId) -> list[Case]:
    """All cases of an account, newest first."""
    account = checked_account(account_id)
    statement = soql(_with_emails(sf, CASES_OF_ACCOUNT, most=1), fields=names(*FIELDS), account=account)
    rows = await sf.query(statement, name="query Case")
    return [_case(sf, row, await _said_in(sf, row)) for row in rows]


async def get_case(sf: Salesforce, account_id: SfAccountId, case_id: str) -> CaseInFull:
    """A case of this account with all that was said. Raises NotFound: unknown, malformed or somebody else's."""
    account, case = checked_account(account_id), checked_case(case_id)
    template = _with_emails(sf, CASE_OF_ACCOUNT, most=MOST_EMAILS)
    statement = soql(template, fields=names(*FIELDS), account=account, case=case)
    rows = await sf.query(statement, name="query Case")
    if not rows or rows[0].id_or_none("AccountId") != account:
        raise NotFound("no such case of this account")
    comments = await _said_in(sf, rows[0])
    return CaseInFull(_case(sf, rows[0], comments), rows[0].text_or_none("Description") or "", comments)


async def find_cases_by_marker(sf: Salesforce, marker: str) -> list[SfCaseId]:
    statement = soql(CASES_BY_MARKER, marker_field=names(sf.fields.case_portal_id), marker=marker)
    return [SfCaseId(row.id()) for row in await sf.query(statement, name="query Case by marker")]


async def find_contact(sf: Salesforce, account_id: SfAccountId, email: str) -> SfContactId | None:
    """Who of the account's contacts writes to us: the one with this address, or the only one there is."""
    rows = await sf.query(soql(CONTACTS, account=checked_account(account_id)), name="query Contact")
    same = [row for row in rows if (row.text_or_none("Email") or "").casefold() == email.casefold()]
    chosen = same or (rows if len(rows) == 1 else [])
    return SfContactId(chosen[0].id()) if chosen else None


async def create_case(sf: Salesforce, new: NewCase) -> SfCaseId:
    """Opens a case, in a call that is never repeated blindly.

    Raises CaseExists where the marker is taken: look it up and adopt it. SystemRefused is a definite "no".
    SystemDown(sent=True) and SystemSurprised mean that nobody knows; ask `find_cases_by_marker` then.
    """
    try:
        return SfCaseId(await sf.create("Case", _body(sf, new), name="create Case"))
    except SystemRefused as refused:
        if refused.vendor_code != "DUPLICATE_VALUE":
            raise
        raise CaseExists(SYSTEM, refused.vendor_code, refused.vendor_message) from None


async def add_comment(sf: Salesforce, account_id: SfAccountId, case_id: str, text: str) -> str:
    """Says something in a case of this account, for both sides to read; answers the comment's id.

    A comment can bear no marker (Salesforce allows no fields of ours there): after SystemDown(sent=True) or
    SystemSurprised compare the text with the case's comments. SystemRefused: it was not written.
    """
    case = checked_case(case_id)
    try:
        owned = await sf.query(soql(OWNED_CASE, case=case, account=checked_account(account_id)), name="query Case")
    except SystemDown as error:  # of the look before: nothing was written yet
        raise SystemDown(SYSTEM, error.note, sent=False) from error
    if not owned:
        raise SystemRefused(SYSTEM, "NOT_FOUND", "the case is gone, or another account's")
    body = {"ParentId": case, "CommentBody": text, "IsPublished": True}
    try:
        return await sf.create("CaseComment", body, name="create CaseComment")
    except NotFound as gone:
        raise SystemRefused(SYSTEM, "NOT_FOUND", gone.note) from gone


def said_already(comments: tuple[Comment, ...], text: str) -> list[Comment]:
    """The customer's comments with these words. Salesforce may change line ends and outer space: they don't count."""
    own = [comment for comment in comments if (comment.author, comment.channel) == ("customer", "portal")]
    return [comment for comment in own if comment.text.split() == text.split()]


def _body(sf: Salesforce, new: NewCase) -> dict[str, Any]:
    settings = sf.settings
    body = {
        "AccountId": checked_account(new.account_id),
        "ContactId": new.contact_id,
        "Origin": settings.case_origin,
        "Subject": new.subject,
        "Description": new.description,
        "Priority": settings.case_priorities.get(new.priority),
        sf.fields.case_portal_id: new.marker,
    }
    return {name: value for name, value in body.items() if value is not None}


def _with_emails(sf: Salesforce, template: str, *, most: int) -> str:
    asked = soql(EMAILS, draft=sf.settings.case_email_draft_status, most=most) if sf.settings.case_emails else ""
    return template.replace("{emails}", asked)


async def _said_in(sf: Salesforce, case: Row) -> tuple[Comment, ...]:
    """What both sides may read of a case, oldest first."""
    ours = (await sf.token.get()).user_id
    comments = await sf.children(case, "CaseComments", name="query CaseComment")
    said = [_comment(row, ours) for row in comments if row.flag("IsPublished")]
    if sf.settings.case_emails:
        draft = sf.settings.case_email_draft_status
        emails = await sf.children(case, "EmailMessages", name="query EmailMessage")
        said += [_email(row) for row in emails if row.flag("IsExternallyVisible") and row.text("Status") != draft]
    return tuple(sorted(said, key=lambda each: each.created_at))


def _comment(row: Row, ours: str) -> Comment:
    return Comment(
        id=row.id(),
        text=row.text_or_none("CommentBody") or "",
        author="customer" if row.id("CreatedById") == ours else "support",
        created_at=row.moment("CreatedDate"),
    )


def _email(row: Row) -> Comment:
    return Comment(
        id=row.id(),
        text=row.text_or_none("TextBody") or row.text_or_none("Subject") or "",
        author="customer" if row.flag("Incoming") else "support",
        created_at=row.moment("MessageDate" if row.text_or_none("MessageDate") else "CreatedDate"),
        channel="email",
    )


def _case(sf: Salesforce, row: Row, comments: tuple[Comment, ...]) -> Case:
    status, is_closed = row.text_or_none("Status") or "", row.flag("IsClosed")
    return Case(
        id=SfCaseId(row.id()),
        number=row.text("CaseNumber"),
        subject=row.text_or_none("Subject") or "",
        state=_state(sf, status),
        status=status,
        is_closed=is_closed,
        priority=_priority(sf, row.text_or_none("Priority") or ""),
        opened_here=row.text_or_none("Origin") == sf.settings.case_origin,
        created_at=row.moment("CreatedDate"),
        changed_at=max([row.moment("LastModifiedDate"), *(comment.created_at for comment in comments)]),
        last_comment=comments[-1] if comments else None,
    )


def _state(sf: Salesforce, status: str) -> CaseState:
    known = {name.casefold(): state for name, state in sf.settings.case_statuses.items()}
    return known.get(status.casefold(), "other")


def _priority(sf: Salesforce, word: str) -> Priority | None:
    known = {name.casefold(): priority for priority, name in sf.settings.case_priorities.items()}
    return known.get(word.casefold())
