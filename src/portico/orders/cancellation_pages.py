"""`/orders/{id}/cancellation`: asks, says what happens, cancels."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from portico.errors import Refusal, StillRunning
from portico.i18n import _m
from portico.orders.cancellation import cancel, must_be_cancellable, order_to_cancel
from portico.orders.orders import OrderWithJournal
from portico.orders.refusals import OrderNotKnownYet
from portico.orders.timeline import is_being_cancelled
from portico.web import redirect, render

CANCELLED = _m("Your order is cancelled. You pay nothing for it.")
TEMPLATE = "orders/cancellation.html"


@get("/orders/{order_id:str}/cancellation", access="customer", ids={"order_id": "order"}, include_in_schema=False)
async def cancellation_page(request: Request[Any, Any, Any], order_id: str) -> Response[bytes]:
    """Of the order as it is at this moment: what can't be cancelled any more is not offered."""
    try:
        known = await order_to_cancel(request.app.state.portal, request.user.customer, order_id)
    except OrderNotKnownYet as refusal:
        return render(request, TEMPLATE, order_id=order_id, order=None, refusal=refusal)
    if known.order.stage == "cancelled" and not is_being_cancelled(known.journal.steps):
        return redirect(request, f"/orders/{known.order.id}")
    return _ask(request, known)


@post("/orders/{order_id:str}/cancellation", access="customer", ids={"order_id": "order"}, include_in_schema=False,
      status_code=303)  # fmt: skip
async def cancel_order(request: Request[Any, Any, Any], order_id: str) -> Response[bytes]:
    """Whoever presses twice, or after our staff, reads that it is cancelled."""
    try:
        known = await cancel(request.app.state.portal, request.user.customer, order_id)
    except StillRunning:
        return redirect(request, f"/orders/{order_id}/cancellation")
    except Refusal as refusal:
        return render(request, TEMPLATE, status=refusal.status, order_id=order_id, order=None, refusal=refusal)
    return redirect(request, f"/orders/{known.order.id}", CANCELLED)


def _ask(request: Request[Any, Any, Any], known: OrderWithJournal) -> Response[bytes]:
    under_way = is_being_cancelled(known.journal.steps)
    refusal = None
    try:
        if not under_way:
            must_be_cancellable(known)
    except Refusal as found:
        refusal = found
    order = known.order
    return render(
        request, TEMPLATE, status=202 if under_way else None, order_id=order.id, order=order, refusal=refusal,
        under_way=under_way,
    )  # fmt: skip


pages = [cancellation_page, cancel_order]
