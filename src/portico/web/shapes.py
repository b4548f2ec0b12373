"""Shapes that all API bodies and answers share: money, times, lists, problems, operations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from portico.money import Money

T = TypeVar("T")

Moment = Annotated[datetime, Meta(tz=True)]
"""ISO 8601 in UTC."""


Wanted = Annotated[str, Meta(extra_json_schema={"minLength": 1, "x-required": True})]
"""A text that must be there. Give it "" as default: that it is missing is then said by the domain, with all else."""


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What the API is sent: a field that it does not know is refused, on every level."""


class MoneyShape(msgspec.Struct, frozen=True):
    """`{"amount": "1100", "currency": "JPY"}`: the currency's own number of decimals."""

    amount: Annotated[str, Meta(extra_json_schema={"pattern": r"^-?[0-9]+(\.[0-9]+)?$"})]
    currency: Annotated[str, Meta(extra_json_schema={"pattern": "^[A-Z]{3}$"})]


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """A list and how old it is; `next_cursor`, given as `?cursor=`, leads to the next page."""

    items: Sequence[T]
    next_cursor: str | None
    total: Annotated[int, Meta(extra_json_schema={"minimum": 0})]
    as_of: Moment


class FaultShape(msgspec.Struct, frozen=True):
    """One wrong field: a JSON pointer into the body (`/name` for a parameter), and what to fix."""

    pointer: str
    detail: str


class ProblemShape(msgspec.Struct, frozen=True):
    """RFC 9457. `code` is stable; `detail` is a sentence for people, in the language of Accept-Language."""

    type: Annotated[str, Meta(extra_json_schema={"pattern": "^urn:portico:problem:"})]
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(extra_json_schema={"pattern": "^[a-z][a-z0-9_]*$"})]
    trace_id: Annotated[str, Meta(description="Also the X-Request-ID header: name it to support.")]
    errors: list[FaultShape] | UnsetType = UNSET
    retry_after: Annotated[int, Meta(description="Seconds; also the Retry-After header.")] | UnsetType = UNSET


class RunningShape(msgspec.Struct, frozen=True):
    """The outcome is not known yet: look at `status_url`, and do not send the request again."""

    operation_id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
    state: Literal["running"]
    status_url: str


def money_shape(money: Money) -> MoneyShape:
    return MoneyShape(f"{money.rounded().amount:.{money.decimals}f}", money.currency)


def whole(items: Sequence[T], as_of: datetime) -> Listing[T]:
    """A list that is answered in one page."""
    return Listing(items, None, len(items), as_of)
