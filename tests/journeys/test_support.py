"""A question, and what comes back by comment and by mail; what waits for whom."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys.outside import Outside
from tests.journeys.walk import Walk

ADDRESS = "/support/500[0-9A-Za-z]{15}"
WAITS = "Our support waits for your answer: No connection"


def test_there_and_back(walk: Walk, outside: Outside) -> None:
    walk.sign_up(outside.newcomer())
    walk.go("/support/new")
    walk.fill(subject="No connection", description="Since yesterday evening.")
    walk.press("Send the question")
    walk.is_at(ADDRESS)
    case = walk.page.url.rpartition("/")[2]

    outside.press("salesforce", "answer-case", case=case, text="Which room?", status="Waiting for Customer")
    walk.go("/home")
    walk.reads(WAITS)
    walk.follow("Answer")
    walk.reads("Which room?", "Waiting for you")
    walk.fill(text="The kitchen.")
    walk.press("Send the message")
    walk.reads("Your message was sent.", "The kitchen.", "You have answered")
    walk.go("/home")
    expect(walk.page.locator("main")).not_to_contain_text(WAITS)
    assert walk.api("/me/status")["cases_that_need_you"] == 0

    outside.press("salesforce", "mail-case", case=case, text="We are still drafting.", draft="yes")
    outside.press("salesforce", "mail-case", case=case, text="Among ourselves.", visible="no")
    outside.press("salesforce", "mail-case", case=case, text="Try the other socket.")
    walk.go(f"/support/{case}")
    walk.reads("Try the other socket.", "by e-mail", "Waiting for you")
    for words in ("drafting", "Among ourselves"):
        expect(walk.page.locator("main")).not_to_contain_text(words)
    walk.go("/home")
    walk.reads(WAITS)
