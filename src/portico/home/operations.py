"""`/api/v1/operations/{id}`: where something stands that was answered with 202, whatever it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get

from portico.errors import NotFound, SignInNeeded
from portico.i18n import _m
from portico.identity.sign_up import sign_up_state
from portico.orders.cancellation import cancellation_for
from portico.orders.checkout import placement_for
from portico.portal import Portal
from portico.support.delivery import sending_for
from portico.web import language

NOT_CANCELLED = _m("Your order was not cancelled: it is approved already. Ask our support.")
NOT_DELIVERED = _m("Our support did not get it. Please send it again.")


class OperationOut(msgspec.Struct, frozen=True):
    """`message` says what to do where it was refused or parked (our staff look at it); `order_id` or `case_id` is there
    once it is done."""

    operation_id: str
    state: Literal["running", "done", "refused", "parked"]
    status_url: str
    order_id: str | None = None
    case_id: str | None = None
    message: str | None = None


@get(
    "/api/v1/operations/{operation_id:str}",
    access="public",
    ids={"operation_id": "operation"},
    operation_id="read_operation",
    summary="Where something stands that was answered with 202",
    refusals=(SignInNeeded,),
)
async def operation(request: Request[Any, Any, Any], operation_id: str) -> OperationOut:
    """An order, its cancellation, a case or a message of the customer's; or a sign-up (nobody is signed in yet: its
    unguessable id is the key).
    """
    portal: Portal = request.app.state.portal
    try:
        wanted = UUID(operation_id)
    except ValueError:
        raise NotFound("operation") from None
    url = f"/api/v1/operations/{wanted}"
    sign_up = await sign_up_state(portal, wanted)
    if sign_up is not None:
        message = sign_up.message.in_language(language(request)) if sign_up.message else None
        return OperationOut(str(wanted), sign_up.state, url, message=message)
    if request.user is None or request.user.customer is None:
        raise SignInNeeded("operation")
    for looking in (_order, _cancellation):
        with suppress(NotFound):
            return await looking(request, wanted, url)
    return await _sending(request, wanted, url)


async def _order(request: Request[Any, Any, Any], wanted: UUID, url: str) -> OperationOut:
    placement = await placement_for(request.app.state.portal, request.user.customer, wanted)
    return OperationOut(str(wanted), "done" if placement.order_id else "running", url, order_id=placement.order_id)


async def _cancellation(request: Request[Any, Any, Any], wanted: UUID, url: str) -> OperationOut:
    found = await cancellation_for(request.app.state.portal, request.user.customer, wanted)
    message = NOT_CANCELLED.in_language(language(request)) if found.state == "refused" else None
    return OperationOut(str(wanted), found.state, url, order_id=found.order_id, message=message)


async def _sending(request: Request[Any, Any, Any], wanted: UUID, url: str) -> OperationOut:
    sending = await sending_for(request.app.state.portal, request.user.customer, wanted)
    message = NOT_DELIVERED.in_language(language(request)) if sending.state == "refused" else None
    return OperationOut(str(wanted), sending.state, url, case_id=sending.case_id or None, message=message)
