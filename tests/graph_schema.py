"""Microsoft's schema, as far as the stand-in's answers are held against it. It knows no product and no server."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ANNOTATIONS = {"message": {"@odata.etag", "@odata.type", "@removed"}, "mailFolder": {"@odata.type"}}
PRIMITIVE = {
    "Edm.String": lambda value: isinstance(value, str),
    "Edm.Boolean": lambda value: isinstance(value, bool),
    "Edm.Int32": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Edm.DateTimeOffset": lambda value: isinstance(value, str) and _is_instant(value),
}


@dataclass(slots=True)
class Kind:
    """One entity or complex type: its own properties, and the type that it extends."""

    base: str | None
    properties: dict[str, str] = field(default_factory=dict)


class Schema:
    def __init__(self, path: Path) -> None:
        self.kinds: dict[str, Kind] = {}
        for element in ElementTree.parse(path).getroot():  # noqa: S314 - Microsoft's own file, on our own disk
            if element.tag in (f"{EDM}EntityType", f"{EDM}ComplexType"):
                base = element.get("BaseType")
                kind = self.kinds[element.get("Name", "")] = Kind(base and base.removeprefix("graph."))
                for one in element.iter(f"{EDM}Property"):
                    kind.properties[one.get("Name", "")] = one.get("Type", "")

    def properties(self, name: str) -> dict[str, str]:
        """With those of the types that it extends."""
        kind = self.kinds[name]
        return (self.properties(kind.base) if kind.base in self.kinds else {}) | kind.properties

    def extends(self, name: str | None, base: str) -> bool:
        return name == base or (name in self.kinds and self.extends(self.kinds[name].base, base))

    def complaints(self, value: Mapping[str, Any], name: str) -> Iterator[str]:
        """What of an object is not of this type, or not of the derived one that it says it is."""
        told = str(value.get("@odata.type", f"#microsoft.graph.{name}")).removeprefix("#microsoft.graph.")
        if not self.extends(told, name):
            yield f"{told} is no {name}"
            return
        known = self.properties(told)
        for key, item in value.items():
            if key in known:
                yield from (f"{told}.{key}: {said}" for said in self._wrong(item, known[key]))
            elif key not in ANNOTATIONS.get(name, ()):
                yield f"{told} has no {key}"

    def _wrong(self, value: Any, kind: str) -> Iterator[str]:
        collection = re.fullmatch(r"Collection\((.+)\)", kind)
        if collection:
            if not isinstance(value, list):
                yield f"{value!r} is no list"
                return
            for item in value:
                yield from self._wrong(item, collection[1])
        elif value is None:
            return
        elif kind in PRIMITIVE:
            if not PRIMITIVE[kind](value):
                yield f"{value!r} is no {kind}"
        elif not isinstance(value, dict):
            yield f"{value!r} is no {kind}"
        else:
            yield from self.complaints(value, kind.removeprefix("graph."))


def _is_instant(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
