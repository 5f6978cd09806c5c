"""Builds HTML in which every text is escaped unless it was built here. It knows no sentence of ours."""

from html import escape
from typing import TypeAlias

from bot.literal import plain

EMPTY = ("meta", "link", "br", "path", "line", "rect", "circle", "polyline")


class Html(str):
    """Markup that was built by `element`: it is not escaped again."""

    __slots__ = ()


Child: TypeAlias = "str | Html | None"
Value: TypeAlias = "str | int | float | None"


def element(name: str, /, *children: Child, **attributes: Value) -> Html:
    """`class_` is class, and an underscore within a name a hyphen; what is None is left out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in EMPTY:
        return Html(f"<{name}{shown}>" if name in ("meta", "link", "br") else f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{together(*children)}</{name}>")


def together(*children: Child) -> Html:
    return Html("".join(one if isinstance(one, Html) else escape(one) for one in children if one is not None))


def outside(text: str, limit: int) -> Html:
    """A name from outside: one line, bounded, and isolated, whatever direction it runs in."""
    return element("bdi", plain(text, limit) or "(no name)")


def unbroken(text: str) -> str:
    """No line ends between a number and its "%"."""
    return text.replace(" %", "\u00a0%")


def _value(value: str | int | float) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
