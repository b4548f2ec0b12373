"""Colors made from the operator's accent, so that any choice stays readable (contrast ≥ 4.5:1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Rgb = tuple[float, float, float]

LIGHT_GROUND: Rgb = (0xF6, 0xF7, 0xF9)
DARK_GROUND: Rgb = (0x1D, 0x21, 0x28)
"""The grounds that accent-colored text stands on; the same as --ground (light) and --panel (dark) in tokens.css."""
_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_ENOUGH = 4.6  # a little over 4.5, since colors are rounded to whole steps
_ENOUGH_IN_THE_DARK = 6.0  # a color that only just passes looks dull there


def theme_css(accent: str) -> str:
    """The stylesheet of the operator's accent (`#rrggbb`), as custom properties for light and dark."""
    color = _parsed(accent)
    light = _readable(color, LIGHT_GROUND, _BLACK, _soft_light, _ENOUGH)
    dark = _readable(color, DARK_GROUND, _WHITE, _soft_dark, _ENOUGH_IN_THE_DARK)
    on_light, on_dark = (_hex(_ink_on(shade)) for shade in (light, dark))
    return (
        ":root{"
        f"--accent:light-dark({_hex(light)},{_hex(dark)});"
        f"--on-accent:light-dark({on_light},{on_dark});"
        f"--accent-soft:light-dark({_hex(_soft_light(light))},{_hex(_soft_dark(dark))})"
        "}\n"
    )


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG contrast ratio, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _readable(color: Rgb, ground: Rgb, towards: Rgb, soft: Callable[[Rgb], Rgb], enough: float) -> Rgb:
    """The nearest shade of the color that can be read on this ground, and on its own soft tint."""
    for step in range(101):
        shade = _mixed(color, towards, step / 100)
        if contrast(shade, ground) >= enough and contrast(shade, soft(shade)) >= _ENOUGH:
            return shade
    return towards


def _soft_light(shade: Rgb) -> Rgb:
    return _mixed(shade, _WHITE, 0.9)


def _soft_dark(shade: Rgb) -> Rgb:
    return _mixed(shade, DARK_GROUND, 0.84)


def _ink_on(ground: Rgb) -> Rgb:
    return max((_WHITE, (0x10, 0x13, 0x18)), key=lambda ink: contrast(ink, ground))


def _mixed(color: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (a + (b - a) * share for a, b in zip(color, other, strict=True))
    return red, green, blue


def _luminance(color: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _parsed(color: str) -> Rgb:
    red, green, blue = (float(int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return red, green, blue


def _hex(color: Iterable[float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in color)
