"""Reads the pages of reports: a tree of their elements, and the colours of their style sheet."""

import dataclasses
import html.parser
import re
from collections.abc import Iterator

VOID = {"meta", "link", "br", "img", "hr", "input"}
"""Elements that have no end."""


@dataclasses.dataclass
class Element:
    """An element with its attributes and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list["Element | str"] = dataclasses.field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, name: str, **attributes: str) -> list["Element"]:
        """The elements of a name, with attributes (`data_part` for `data-part`), in order."""
        wanted = {key.replace("_", "-").strip("-"): value for key, value in attributes.items()}
        return [one for one in self.walk() if one.name == name and wanted.items() <= one.attributes.items()]

    def one(self, name: str, **attributes: str) -> "Element":
        """The only element of its kind."""
        (found,) = self.all(name, **attributes)
        return found

    @property
    def text(self) -> str:
        """What is to be read in it, with single spaces."""
        words = "".join(child if isinstance(child, str) else f" {child.text} " for child in self.children)
        return " ".join(words.split())


class _Reader(html.parser.HTMLParser):
    """Complains of every element that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self._open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}> in line {self.getpos()[0]}"
        self._open.pop()

    def handle_data(self, data):
        self._open[-1].children.append(data)


def read(page: str) -> Element:
    """The tree of a page, which has to be well-formed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader._open == [reader.root], [element.name for element in reader._open]
    return reader.root


def palettes(style: str) -> list[dict[str, str]]:
    """The colours of each theme in a style sheet, by variable."""
    blocks = re.findall(r"\{([^{}]*--ink:[^{}]*)\}", style)
    return [dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6})", block)) for block in blocks]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio" and "relative luminance"."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """A colour of so much of one and the rest of the other, as `color-mix(in srgb)` makes it."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(255 * (share * a + (1.0 - share) * b)):02x}" for a, b in pairs)


def _channels(colour: str) -> list[float]:
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
