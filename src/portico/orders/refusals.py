"""Why an order can't be cancelled here: each says what to do instead."""

from __future__ import annotations

from portico.errors import Refusal
from portico.i18n import _m


class OrderApproved(Refusal):
    code = "order_approved"
    for_customer = _m(
        "This order is approved already and is being set up, so that it can not be cancelled here any more."
        " Ask our support: they tell you what is still possible."
    )


class OrderNotCancellable(Refusal):
    code = "order_not_cancellable"
    for_customer = _m("Our staff are working on this order, so that it can not be cancelled here. Ask our support.")


class OrderNotKnownYet(Refusal):
    code = "order_not_known_yet"
    for_customer = _m(
        "Your order was sent, but we do not know yet whether it has arrived, so that there is nothing to cancel yet."
        " We send you a mail as soon as we know; then you can cancel it on its page."
    )
