"""The list by itself: what fits, in which order, and where the next page begins."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.billing.listing import SORTS, Choice, Sort, chosen, page_after, present
from portico.errors import InputWrong
from portico.money import Money
from portico.systems.whmcs.invoices import InvoiceRow, InvoiceStatus

TODAY = date(2026, 11, 3)


def row(
    row_id: int, status: InvoiceStatus = "paid", due: int | None = 0, total: int = 1000, number: str = ""
) -> InvoiceRow:
    day = TODAY + timedelta(days=due) if due is not None else None
    return InvoiceRow(row_id, number or str(row_id), status, day, day, None, Money(Decimal(total), "JPY"))


rows_of_any_kind = st.lists(
    st.builds(row, st.integers(1, 99), due=st.none() | st.integers(-3, 3), total=st.integers(0, 3)),
    unique_by=lambda each: each.id,
    max_size=30,
)


def ids(rows: list[InvoiceRow]) -> list[int]:
    return [each.id for each in rows]


def test_overdue_is_a_part_of_what_is_to_pay() -> None:
    rows = [row(1, "unpaid", -1), row(2, "unpaid", 0), row(3, "collections", -9), row(4, "payment_pending", -9)]
    assert ids(chosen(rows, Choice("overdue"), TODAY)) == [1]
    assert ids(chosen(rows, Choice("unpaid"), TODAY)) == [2, 1, 3], "a collection agency is paid too"
    assert present([row(3, "collections", -9)], TODAY) == ["unpaid", "collections"]
    assert present(rows, TODAY) == ["unpaid", "overdue", "payment_pending", "collections"]
    assert present([row(1, "other")], TODAY) == ["other"]


@pytest.mark.parametrize("q", ["2026-00", "２０２６－００", " #2026-0042 ", "0042"])
def test_numbers_are_found_however_they_are_typed(q: str) -> None:
    assert ids(chosen([row(1, number="2026-0042"), row(2, number="77")], Choice(q=q), TODAY)) == [1]


@pytest.mark.parametrize(("sort", "descending"), [("date", [3, 1, 2]), ("due", [3, 1, 2]), ("total", [2, 3, 1])])
def test_sorting_both_ways(sort: Sort, descending: list[int]) -> None:
    rows = [row(1, due=1, total=5), row(2, due=None, total=9), row(3, due=2, total=7)]
    assert ids(chosen(rows, Choice(sort=sort), TODAY)) == descending
    assert ids(chosen(rows, Choice(sort=sort, order="asc"), TODAY)) == descending[::-1]


@given(rows_of_any_kind, st.sampled_from(SORTS), st.sampled_from(["asc", "desc"]), st.integers(1, 7))
def test_pages_one_after_the_other_are_the_whole_list(
    rows: list[InvoiceRow], sort: Sort, order: str, size: int
) -> None:
    choice = Choice(sort=sort, order="asc" if order == "asc" else "desc")
    found = chosen(rows, choice, TODAY)
    seen: list[int] = []
    cursor = None
    while True:
        page, cursor = page_after(found, choice, cursor, size)
        seen += ids(page)
        if cursor is None:
            break
    assert seen == ids(found)


def test_what_comes_or_goes_between_two_pages_shifts_nothing() -> None:
    rows = [row(n, due=n) for n in range(1, 7)]
    first, cursor = page_after(chosen(rows, Choice(), TODAY), Choice(), None, 2)
    assert ids(first) == [6, 5]
    later = [row(7, due=7), *(each for each in rows if each.id != 5)]
    second, _ = page_after(chosen(later, Choice(), TODAY), Choice(), cursor, 2)
    assert ids(second) == [4, 3]


@pytest.mark.parametrize("cursor", ["x", "25", "é", "=" * 9, "A" * 900, "WyJ0b3RhbCIsImRlc2MiLCJOYU4iLDFd"])
def test_a_cursor_of_nowhere_is_said_by_name(cursor: str) -> None:
    choice = Choice(sort="total")
    with pytest.raises(InputWrong) as caught:
        page_after([row(1)], choice, cursor, 2)
    assert [fault.pointer for fault in caught.value.faults] == ["/cursor"]


def test_a_cursor_belongs_to_its_order() -> None:
    rows = [row(1), row(2)]
    _, cursor = page_after(rows, Choice(), None, 1)
    with pytest.raises(InputWrong):
        page_after(rows, Choice(order="asc"), cursor, 1)


def test_addresses_say_no_more_than_needed() -> None:
    choice = Choice.read({"status": "paid", "q": " 91 ", "sort": "total", "order": "asc", "page": "3"})
    assert choice.href() == "/billing?status=paid&q=91&sort=total&order=asc"
    assert choice.href(status=None, q="") == "/billing?sort=total&order=asc"
    assert choice.sorted_href("total") == "/billing?status=paid&q=91&sort=total"
    assert choice.sorted_href("date") == "/billing?status=paid&q=91"
    assert Choice.read({"status": "nonsense", "sort": "x", "order": "y"}).href() == "/billing"
