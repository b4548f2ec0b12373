"""An address that does not exist is answered within the customer's own frame, too."""

from __future__ import annotations

import pytest

from tests.house.conftest import Door

NOWHERE = ("/nowhere", "/orders/1/2/3", "/profile/nothing", "/billing/invoices/9/pay")


@pytest.mark.parametrize("path", NOWHERE)
async def test_who_is_signed_in_stays_so_on_the_page_that_is_not_there(path: str, door: Door) -> None:
    html = {"accept": "text/html"}
    theirs, nobodys = await door.owner.get(path, headers=html), await door.nobody.get(path, headers=html)
    assert theirs.status_code in (404, 405) and theirs.status_code == nobodys.status_code
    assert "ken.tanaka@mail.example" in theirs.text and 'action="/sign-out"' in theirs.text
    assert 'action="/sign-out"' not in nobodys.text and "/support/new" not in nobodys.text


async def test_a_request_of_another_site_does_not_learn_who_is_signed_in(door: Door) -> None:
    elsewhere = {"accept": "text/html", "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    answer = await door.owner.post("/profile/details", headers=elsewhere)
    assert answer.status_code == 403 and "ken.tanaka@mail.example" not in answer.text
