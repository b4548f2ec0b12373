"""A person with a browser: every page that they come to is looked over, on a wide screen and on a narrow one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response, expect

from tests.fixtures.until import until_sync
from tests.journeys.outside import PASSWORD, Newcomer, Outside

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 780}
# What sticks out to the right of the window, other than in a box that scrolls by itself.
STICKS_OUT = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (e) => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const out = [...document.querySelectorAll("body *")].filter((e) =>
    e.checkVisibility() && e.getBoundingClientRect().right > wide + 1 && !scrolls(e.parentElement));
  if (document.documentElement.scrollWidth > wide) out.push(document.documentElement);
  return out.map((e) => e.outerHTML.slice(0, 120));
}"""


class Walk:
    """`status` anywhere: what the answer must have; another one fails the test."""

    def __init__(self, page: Page, portal: str, outside: Outside) -> None:
        self.page = page
        self.portal = portal
        self.outside = outside
        self.faults: list[str] = []
        self._expected = {200}
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._said)

    def go(self, path: str, *, status: int = 200) -> Response:
        self._expected.add(status)
        response = self.page.goto(path)
        assert response is not None
        return self._arrived(response, status)

    def press(self, name: str, *, status: int = 200, within: Locator | None = None) -> Response:
        """A button that leads to a page."""
        return self._led_by((within or self.page).get_by_role("button", name=name, exact=True).click, status)

    def send(self, action: str, *, status: int = 200) -> Response:
        """The form that goes there, whatever its button says."""
        return self._led_by(self.page.locator(f"form[action='{action}'] button").click, status)

    def press_twice(self, name: str, leads_to: str) -> int:
        """The second press while the first is under way (the test sees to it that the answer takes a while).

        Answers how many requests it made.
        """
        button, sent = self.page.get_by_role("button", name=name, exact=True), list[Request]()
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
        with self.page.expect_request(lambda request: request.method == "POST"):
            self.page.mouse.click(*middle)  # unlike a locator's, it does not wait for pages to come
        self.page.mouse.click(*middle)
        self.is_at(leads_to)
        return len(sent)

    def follow(self, name: str, *, status: int = 200) -> Response:
        """A link; the first of that name in the page itself."""
        return self._led_by(self.page.locator("main").get_by_role("link", name=name, exact=True).first.click, status)

    def fill(self, **fields: str) -> None:
        """By field name; `address__city` is `address.city`."""
        for name, value in fields.items():
            self.page.locator(f'[name="{name.replace("__", ".")}"]').fill(value)

    def type_in(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            self.page.locator(f'[name="{name}"]').fill(value)

    def reads(self, *words: str) -> None:
        """All of these stand in the page itself."""
        for sentence in words:
            expect(self.page.locator("main")).to_contain_text(sentence)

    def is_at(self, path: str) -> None:
        expect(self.page).to_have_url(re.compile(re.escape(self.portal) + path + "$"))

    def sees_summary(self, *words: str) -> None:
        """The summary of what is wrong has the focus and says these."""
        summary = self.page.locator("#error-summary")
        expect(summary).to_be_focused()
        for sentence in words:
            expect(summary).to_contain_text(sentence)

    def sign_up(self, person: Newcomer, **other: str) -> None:
        """All the way in, through the page."""
        self.go("/sign-up")
        self.type_in(person.typed(**other))
        self.send("/sign-up")
        self.is_at("/home")

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Quickly: the way in has tests of its own."""
        answer = self.page.request.post(
            f"{self.portal}/api/v1/auth/sign-in",
            data={"email": email, "password": password},
            headers={"origin": self.portal},
        )
        assert answer.status == 200, answer.text()

    def api(self, path: str) -> Any:
        """What the API tells this person."""
        answer = self.page.request.get(f"{self.portal}/api/v1{path}")
        assert answer.status == 200, answer.text()
        return answer.json()

    def reload_until(self, is_so: Callable[[], bool], seconds: float = 60) -> None:
        """Looks at this page again and again, as a customer who waits for something does."""
        self.try_until(self.page.reload, is_so, seconds)

    def try_until(self, act: Callable[[], object], is_so: Callable[[], bool], seconds: float = 60) -> None:
        """Does it again until it has worked: a system that was down is tried again within seconds, not at once."""

        def tried() -> bool:
            act()
            return is_so()

        until_sync(tried, seconds)

    def shows(self, words: str) -> bool:
        return self.page.locator("main").get_by_text(words).first.is_visible()

    def expect_trouble(self, *statuses: int) -> None:
        """From here on the browser may complain about answers of these statuses."""
        self._expected.update(statuses)

    def _led_by(self, act: Callable[[], object], status: int) -> Response:
        self._expected.add(status)
        with self.page.expect_navigation() as navigation:
            act()
        return self._arrived(navigation.value, status)

    def _arrived(self, response: Response, status: int) -> Response:
        assert response.status == status, f"{response.status} at {response.url}\n{response.text()[:3000]}"
        if self.page.url.startswith(f"{self.portal}/"):
            self._look_over()
        return response

    def _look_over(self) -> None:
        assert self.page.title()
        expect(self.page.locator("h1")).to_have_count(1)
        before = self.page.viewport_size
        for size in (WIDE, NARROW):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            assert self.page.evaluate(STICKS_OUT) == [], f"{self.page.url} at {size['width']} px"
        self.page.set_viewport_size(before or WIDE)  # type: ignore[arg-type]

    def _said(self, line: ConsoleMessage) -> None:
        """Errors and refused resources; an answer's status is the test's own business where it was expected."""
        address = line.location.get("url", "")
        if line.type not in ("error", "warning") or address.endswith("/favicon.ico"):  # the portal has its own icon
            return
        status = re.search(r"status of (\d{3})", line.text)
        if status and int(status[1]) in self._expected:
            return
        self.faults.append(f"{line.type}: {line.text} ({address})")
