"""One violation, said so that its cause can be looked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is what is wrong in two or three words; `detail` has the ids and the rows."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
