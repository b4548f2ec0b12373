"""`/api/v1/cases`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import Parameter
from msgspec import Meta

from portico.errors import (
    CaseClosed,
    FieldFault,
    IdempotencyKeyMissing,
    InputWrong,
    NotFound,
    StillRunning,
    Trouble,
)
from portico.i18n import _m
from portico.portal import Portal
from portico.support.about import About, about_for
from portico.support.cases import Case, CaseInFull, Comment, case_for, cases_of
from portico.support.fields import checked_message, checked_question
from portico.support.sending import open_case, reply
from portico.support.words import case_words
from portico.web import language, read_json
from portico.web.openapi_problems import REMOTE
from portico.web.shapes import Body, Listing, Moment, RunningShape

PAGE = 25
MOST_KEY = 255
CASE_AT = [ResponseHeader(name="Location", description="Of the case.", documentation_only=True)]
NOT_YOURS = _m("There is no such thing in this account. Check its kind and id, or leave it out.")


class AboutIn(Body):
    """Something of the customer's own; its number is written into the case."""

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["invoice", "service", "order", "case"]})]
    id: str


class CaseIn(Body):
    """A question: subject of at most 255 characters, description of at most 30,000, counted once they are cleaned."""

    subject: Annotated[str, Meta(extra_json_schema={"minLength": 1})]
    description: Annotated[str, Meta(extra_json_schema={"minLength": 1})]
    priority: Annotated[str, Meta(extra_json_schema={"enum": ["high", "medium", "low"]})] = "medium"
    about: AboutIn | None = None


class CommentIn(Body):
    """At most 4,000 bytes of UTF-8: a Japanese character takes three."""

    text: Annotated[str, Meta(extra_json_schema={"minLength": 1})]


class CommentOut(msgspec.Struct, frozen=True):
    """A message in a case."""

    id: str
    author: Literal["customer", "support"]
    text: str
    created_at: Moment
    channel: Literal["portal", "email"]


class CaseOut(msgspec.Struct, frozen=True):
    """`status` is `other` where the provider names it otherwise; `status_words` are for people."""

    id: str
    number: str
    subject: str
    status: Literal["received", "in_progress", "escalated", "waiting_for_customer", "closed", "other"]
    status_words: str
    closed: bool
    priority: Literal["high", "medium", "low"] | None
    created_at: Moment
    updated_at: Moment


class CaseDetailOut(CaseOut, frozen=True, kw_only=True):
    """A case with its messages, oldest first."""

    description: str
    comments: list[CommentOut]
    as_of: Moment


@get("/api/v1/cases", access="customer", operation_id="list_cases", summary="Cases", refusals=REMOTE)
async def cases(
    request: Request[Any, Any, Any],
    cursor: Annotated[str, Parameter(description="`next_cursor` of the page before.", pattern="^[0-9]{1,6}$")] = "0",
) -> Listing[CaseOut]:
    """Newest first, 25 at a time; read from Salesforce at this moment."""
    portal: Portal = request.app.state.portal
    start = int(cursor)
    found = await cases_of(portal, request.user.customer)
    spoken = language(request)
    more = str(start + PAGE) if start + PAGE < len(found) else None
    shown = [_case(case, spoken) for case in found[start : start + PAGE]]
    return Listing(shown, more, len(found), portal.clock.now())


@get(
    "/api/v1/cases/{case_id:str}",
    access="customer",
    ids={"case_id": "case"},
    operation_id="read_case",
    summary="One case",
    refusals=REMOTE,
)
async def case(request: Request[Any, Any, Any], case_id: str) -> CaseDetailOut:
    """With its messages; read from Salesforce at this moment."""
    portal: Portal = request.app.state.portal
    return _in_full(request, await case_for(portal, request.user.customer, case_id))


@post(
    "/api/v1/cases",
    access="customer",
    operation_id="open_case",
    summary="Open a case",
    body=CaseIn,
    keyed="optional",
    also={202: RunningShape},
    refusals=(*REMOTE, StillRunning),
    response_headers=CASE_AT,
    status_code=201,
)
async def add_case(request: Request[Any, Any, Any]) -> Response[CaseDetailOut]:
    """201 with the case; 202 with an operation where its outcome is not known yet.

    With an `Idempotency-Key` header a repeated call opens no second case.
    """
    portal: Portal = request.app.state.portal
    body = await read_json(request, CaseIn)
    about = await _about(request, body.about)
    spoken, url = language(request), portal.settings.portal.url
    question = checked_question(body.subject, body.description, body.priority, about, language=spoken, url=url)
    opened = await open_case(portal, request.user.customer, question, key=_key(request))
    try:
        read = await case_for(portal, request.user.customer, opened.case_id)
    except Trouble as trouble:  # it is there: an error would have the caller open another
        raise StillRunning(str(opened.id)) from trouble
    return Response(_in_full(request, read), status_code=201, headers={"location": f"/api/v1/cases/{opened.case_id}"})


@post(
    "/api/v1/cases/{case_id:str}/comments",
    access="customer",
    ids={"case_id": "case"},
    operation_id="add_comment",
    summary="Say something in a case",
    body=CommentIn,
    keyed="optional",
    also={202: RunningShape},
    refusals=(*REMOTE, CaseClosed, StillRunning),
    response_headers=CASE_AT,
    status_code=201,
)
async def add_comment(request: Request[Any, Any, Any], case_id: str) -> Response[CommentOut]:
    """201 with the comment; 202 with an operation where its outcome is not known yet.

    With an `Idempotency-Key` header a repeated call says nothing twice.
    """
    portal: Portal = request.app.state.portal
    body = await read_json(request, CommentIn)
    words, key = checked_message(body.text), _key(request)
    sent = await reply(portal, request.user.customer, case_id, words, key=key)
    made = CommentOut(sent.message_id, "customer", sent.words, portal.clock.now(), "portal")
    return Response(made, status_code=201, headers={"location": f"/api/v1/cases/{sent.case_id}"})


async def _about(request: Request[Any, Any, Any], given: AboutIn | None) -> About | None:
    if given is None:
        return None
    try:
        return await about_for(request.app.state.portal, request.user.customer, given.kind, given.id)
    except NotFound:
        raise InputWrong(FieldFault("/about/id", NOT_YOURS)) from None


def _key(request: Request[Any, Any, Any]) -> str:
    """Without the header each call is one of its own."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return f"once:{uuid4()}"
    key = given.strip().strip('"')
    if not 0 < len(key) <= MOST_KEY:
        raise IdempotencyKeyMissing()
    return f"api:{key}"


def _in_full(request: Request[Any, Any, Any], read: CaseInFull) -> CaseDetailOut:
    portal: Portal = request.app.state.portal
    return CaseDetailOut(
        **msgspec.structs.asdict(_case(read.case, language(request))),
        description=read.description,
        comments=[_comment(comment) for comment in read.comments],
        as_of=portal.clock.now(),
    )


def _case(case: Case, spoken: str) -> CaseOut:
    words = case_words(case)[0]
    return CaseOut(
        id=case.id,
        number=case.number,
        subject=case.subject,
        status=case.state,
        status_words=words if isinstance(words, str) else words.in_language(spoken),
        closed=case.is_closed,
        priority=case.priority,
        created_at=case.created_at,
        updated_at=case.changed_at,
    )


def _comment(comment: Comment) -> CommentOut:
    return CommentOut(comment.id, comment.author, comment.text, comment.created_at, comment.channel)
