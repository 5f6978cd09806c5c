"""What can go wrong between the app and Slack, ordered by a test or the demo; and the log of what the app asked for."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["rate_limit", "server_error", "drop_before", "drop_after", "refuse", "slow"]


@dataclass(slots=True)
class Call:
    """One call of the Web API."""

    method: str
    args: Mapping[str, Any]
    at: datetime
    team: str = ""
    """The workspace of the token."""
    fault: str = ""
    error: str = ""
    """What was answered: empty for ok."""
    response: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    kind: Kind
    times: int
    seconds: float = 0
    error: str = ""
    status: int = 500
    team: str = ""


class Faults:
    """Faults queue up per method and are used up in order; `*` is any method, `response_url` a reply to a press."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, list[Fault]] = {}
        self.calls: list[Call] = []
        self.enforce_rate_limits = False

    def _add(self, method: str, fault: Fault) -> None:
        with self._lock:
            self._queues.setdefault(method, []).append(fault)

    def rate_limit(self, method: str, retry_after: int = 1, times: int = 1, team: str = "") -> None:
        """As Slack counts: per method and workspace, when a `team` is named."""
        self._add(method, Fault("rate_limit", times, seconds=retry_after, team=team))

    def server_error(self, method: str, times: int = 1, status: int = 500) -> None:
        self._add(method, Fault("server_error", times, status=status))

    def drop_before(self, method: str, times: int = 1) -> None:
        """The connection breaks and nothing was done."""
        self._add(method, Fault("drop_before", times))

    def drop_after(self, method: str, times: int = 1) -> None:
        """The call is carried out; the connection breaks before the answer."""
        self._add(method, Fault("drop_after", times))

    def refuse(self, method: str, error: str, times: int = 1, team: str = "") -> None:
        """Status 200 with this error: `is_archived`, `account_inactive`, `edit_window_closed`, `hash_conflict`…"""
        self._add(method, Fault("refuse", times, error=error, team=team))

    def slow(self, method: str, seconds: float, times: int = 1) -> None:
        self._add(method, Fault("slow", times, seconds=seconds))

    def clear(self) -> None:
        with self._lock:
            self._queues.clear()

    def take(self, method: str, team: str = "") -> Fault | None:
        with self._lock:
            for key in (method, "*"):
                queue = self._queues.get(key, [])
                fault = next((one for one in queue if one.team in ("", team)), None)
                if fault:
                    fault.times -= 1
                    if fault.times <= 0:
                        queue.remove(fault)
                    return fault
            return None

    def record(self, call: Call) -> Call:
        with self._lock:
            self.calls.append(call)
        return call

    def called(self, method: str) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.method == method]
