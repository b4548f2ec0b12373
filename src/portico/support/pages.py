"""`/support`, `/support/new`, `/support/{id}`."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from litestar import Request, Response, get, post

from portico.errors import CaseClosed, InputWrong, NotFound, StillRunning, Trouble
from portico.i18n import _m
from portico.portal import Portal
from portico.support.about import KINDS, About, about_for
from portico.support.cases import LONGEST_COMMENT_BYTES, LONGEST_SUBJECT, case_for, cases_of
from portico.support.delivery import sending_for, under_way
from portico.support.fields import checked_message, checked_question, form_key
from portico.support.sending import open_case, reply
from portico.support.words import PRIORITY_WORDS, case_words
from portico.web import Form, language, paging, read_form, redirect, render

OPENED = _m("Thank you. We have received your question and answer here.")
SENT = _m("Your message was sent.")
SUBJECT = _m("Question: %(about)s")


@get("/support", access="customer", include_in_schema=False)
async def cases_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    waiting = [sending for sending in await under_way(portal, request.user.customer) if sending.kind == "case"]
    try:
        cases = await cases_of(portal, request.user.customer)
    except Trouble:
        return render(request, "support/cases.html", rows=None, waiting=waiting)
    where = paging(request, len(cases))
    rows = [(case, *case_words(case)) for case in cases[where.offset : where.offset + where.size]]
    now = portal.clock.now()
    return render(request, "support/cases.html", rows=rows, waiting=waiting, where=where, as_of_time=now)


@get("/support/new", access="customer", include_in_schema=False)
async def new_case_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """`?invoice=`, `?service=`, `?order=`, `?case=` or `?error=` says what the question is about."""
    kind = next((name for name in KINDS if name in request.query_params), "")
    form = Form.of({"about": f"{kind}:{request.query_params.get(kind, '')}" if kind else "", "priority": "medium"})
    about, is_lost = await _about(request, form)
    subject = SUBJECT(about=about.words).in_language(language(request)) if about else ""
    return _show_form(request, Form.of({"subject": subject, "priority": "medium", "token": uuid4()}), about, is_lost)


@post("/support/new", access="customer", include_in_schema=False, status_code=303)
async def send_case(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Opens one case, also when the form is sent twice."""
    form = await read_form(request)
    portal: Portal = request.app.state.portal
    about, is_lost = await _about(request, form)
    if is_lost:
        return _show_form(request, form, about, is_lost)
    words = form.value("subject"), form.value("description"), form.value("priority")
    try:
        url = portal.settings.portal.url
        question = checked_question(*words, about, language=language(request), url=url)
        key = form_key(form.text("token", most=40) or str(uuid4()), question.subject, question.description)
        opened = await open_case(portal, request.user.customer, question, key=key)
    except InputWrong as wrong:
        return _show_form(request, form.refused(wrong), about)
    except StillRunning as running:
        return redirect(request, f"/support/pending-{running.operation_id}")
    except Trouble as trouble:
        return _show_form(request, form, about, trouble=trouble)
    return redirect(request, f"/support/{opened.case_id}", OPENED)


@get("/support/{case_id:str}", access="customer", ids={"case_id": "case"}, include_in_schema=False)
async def case_page(request: Request[Any, Any, Any], case_id: str) -> Response[bytes]:
    if case_id.startswith("pending-"):
        return await _pending_page(request, case_id.removeprefix("pending-"))
    return await _show_case(request, case_id, Form.of({"token": uuid4()}))


@post("/support/{case_id:str}/messages", access="customer", ids={"case_id": "case"}, include_in_schema=False,
      status_code=303)  # fmt: skip
async def send_message(request: Request[Any, Any, Any], case_id: str) -> Response[bytes]:
    form = await read_form(request)
    portal: Portal = request.app.state.portal
    try:
        words = checked_message(form.value("text"))
        key = form_key(form.text("token", most=40) or str(uuid4()), case_id, words)
        await reply(portal, request.user.customer, case_id, words, key=key)
    except (InputWrong, CaseClosed) as refusal:
        return await _show_case(request, case_id, form.refused(refusal))
    except StillRunning as running:
        return redirect(request, f"/support/pending-{running.operation_id}")
    except Trouble as trouble:
        return render(
            request, "support/unsent.html", status=trouble.status, case_id=case_id, form=form, trouble=trouble,
            most_bytes=LONGEST_COMMENT_BYTES,
        )  # fmt: skip
    return redirect(request, f"/support/{case_id}", SENT)


async def _pending_page(request: Request[Any, Any, Any], sending_id: str) -> Response[bytes]:
    """What was sent without an answer; once it has arrived, the address leads to its case."""
    try:
        sending = await sending_for(request.app.state.portal, request.user.customer, UUID(sending_id))
    except ValueError:
        raise NotFound("sending") from None
    if sending.state == "done":
        return redirect(request, f"/support/{sending.case_id}")
    status = 202 if sending.state == "running" else 200
    return render(request, "support/pending.html", status=status, sending=sending)


async def _show_case(request: Request[Any, Any, Any], case_id: str, form: Form) -> Response[bytes]:
    portal: Portal = request.app.state.portal
    read = await case_for(portal, request.user.customer, case_id)
    waiting = [each for each in await under_way(portal, request.user.customer) if each.case_id == read.case.id]
    words, tone = case_words(read.case)
    return render(
        request,
        "support/case.html",
        case=read.case,
        description=read.description,
        comments=read.comments,
        waiting=waiting,
        words=words,
        tone=tone,
        priority=PRIORITY_WORDS.get(read.case.priority) if read.case.priority else None,
        most_bytes=LONGEST_COMMENT_BYTES,
        form=form,
        as_of_time=portal.clock.now(),
    )


async def _about(request: Request[Any, Any, Any], form: Form) -> tuple[About | None, bool]:
    """What the form says that it is about, once it is known to be the customer's own; whether it can't be looked at.

    Raises NotFound: somebody else's, or nothing at all.
    """
    kind, _, thing_id = form.text("about", most=100).partition(":")
    if not kind:
        return None, False
    try:
        return await about_for(request.app.state.portal, request.user.customer, kind, thing_id), False
    except Trouble:
        return None, True


def _show_form(
    request: Request[Any, Any, Any],
    form: Form,
    about: About | None,
    is_lost: bool = False,
    trouble: Trouble | None = None,
) -> Response[bytes]:
    return render(
        request,
        "support/new.html",
        status=trouble.status if trouble else form.status,
        form=form,
        about=about,
        is_lost=is_lost,
        trouble=trouble,
        priorities=list(PRIORITY_WORDS.items()),
        longest_subject=LONGEST_SUBJECT,
    )
