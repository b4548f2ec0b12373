"""What is looked for on each page: what axe finds, what sticks out, what the keyboard does not reach, English words."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.journeys.walk import STICKS_OUT

TOO_BAD = ("serious", "critical")
WIDTHS = (360, 768, 1280, 1440)
MOST_STOPS = 300
# All that can be used on the page as it is; of the radio buttons of one choice the one that Tab leads to.
USABLE = """() => {
  const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const first = new Set();
  window.usable = [...document.querySelectorAll(all)].filter((e) => {
    if (e.disabled || !e.checkVisibility({ visibilityProperty: true })) return false;
    if (e.type !== "radio") return true;
    const group = document.querySelectorAll(`input[type=radio][name="${e.name}"]`);
    const stop = [...group].find((radio) => radio.checked) ?? group[0];
    return e === stop && !first.has(e.name) && first.add(e.name);
  });
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  return window.usable.length;
}"""
# Which of them has the focus, and whether one sees that: an outline of its own, of its frame or of the row it covers.
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const seen = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const shown = seen(getComputedStyle(e)) || seen(getComputedStyle(e, "::after"));
  const box = e.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight;
  return [window.usable.indexOf(e), shown && inside, e.outerHTML.slice(0, 100)];
}"""
NAMES = "(places) => places.map((place) => window.usable[place].outerHTML.slice(0, 100))"


def serious(page: Page, *, in_dark: bool = True) -> list[str]:
    """By axe, in light and dark; in dark only what depends on colors."""
    found = []
    dark = [("dark", {"runOnly": ["color-contrast"]})] if in_dark else []
    for scheme, options in [("light", {}), *dark]:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{scheme}: {line}" for line in _violations(page, options)]
    page.emulate_media(color_scheme="light")
    return found


def _violations(page: Page, options: dict[str, Any]) -> list[str]:
    faults = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{fault['id']} {[node['html'][:150] for node in fault['nodes'][:3]]}"
        for fault in faults
        if fault["impact"] in TOO_BAD
    ]


def sticks_out(page: Page) -> list[str]:
    """At each width, to the right of the window."""
    before, found = page.viewport_size, []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"at {width} px sticks out: {what}" for what in page.evaluate(STICKS_OUT)]
    if before:
        page.set_viewport_size(before)
    return found


def not_by_keyboard(page: Page) -> list[str]:
    """Tab from the top to the end: all is reached, the skip link first, and one always sees where one is."""
    count, reached, faults = page.evaluate(USABLE), list[int](), list[str]()
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or stop[0] in reached:
            break
        place, is_seen, what = stop
        reached.append(place)
        faults += [] if is_seen else [f"focus is not seen on {what}"]
    missed = [place for place in range(count) if place not in reached]
    faults += [f"Tab does not reach {what}" for what in page.evaluate(NAMES, missed)]
    return faults + ([] if reached[:1] == [0] else ["Tab does not begin with the skip link"])


def not_translated(page: Page, english: list[str]) -> list[str]:
    words = page.locator("body").inner_text()
    faults = [f"in English: {text}" for text in english if text in words]
    return faults + ([] if page.locator("html").get_attribute("lang") == "ja" else ["is not in Japanese"])
