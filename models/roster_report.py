"""What an import did, or would do, or why it cannot be done, for surfaces that do not know the importer. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RosterReport:
    """With `problems` nothing was changed and the other fields are empty; each has line, column and text."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # "Acme: tier 2 → 1"
    unchanged: int = 0
    warnings: tuple[str, ...] = ()
    again: int = 0  # messages that are read again, since the roster knows more addresses now
    voided: int = 0  # touches that belong to nobody any more
    problems: tuple[tuple[int, str, str], ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.unchanged or self.problems)
