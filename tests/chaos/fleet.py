"""The product's processes: two bots and three workers, started again whenever one ends, as a container would be."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bot.app import EVENTS_PATH
from tests.chaos.town import Town, free_port

BOTS, WORKERS = 2, 3
STOPS_WITHIN = 15.0  # seconds
AGAIN = 0.3  # seconds until a process that ended is started again


@dataclass(slots=True)
class Member:
    """One place in the fleet. `slot` is where its clock's error stands."""

    name: str
    slot: int
    words: list[str]
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None
    frozen: bool = False
    starts: int = 0
    ends: list[int] = field(default_factory=list)  # its return codes

    @property
    def is_bot(self) -> bool:
        return self.words[0] == "run"


class Fleet:
    """`start` it, knock it about, `stop` it."""

    def __init__(self, town: Town, *, alone: str | None = None) -> None:
        """`alone`: one process of this module, which does everything."""
        self._town, self._lock, self._ending = town, threading.RLock(), threading.Event()
        self._module = alone or "tests.chaos.child"
        ports = [free_port() for _ in range(1 if alone else BOTS)]
        more = [] if alone else ["--no-worker"]
        self.members = [
            Member(f"bot-{number}", 1 + number, ["run", "--host", "127.0.0.1", "--port", str(port), *more])
            for number, port in enumerate(ports)
        ]
        if alone is None:
            self.members += [Member(f"worker-{number}", 10 + number, ["worker"]) for number in range(WORKERS)]
        town.slack.address.urls[:] = [f"http://127.0.0.1:{port}{EVENTS_PATH}" for port in ports]
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        self._keeper.start()

    def kill(self, member: Member) -> bool:
        """kill -9; answers whether it was alive."""
        return self._signal(member, signal.SIGKILL)

    def freeze(self, member: Member) -> bool:
        member.frozen = self._signal(member, signal.SIGSTOP)
        return member.frozen

    def thaw(self, member: Member) -> None:
        self._signal(member, signal.SIGCONT)
        member.frozen = False

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; answers with what each ended. -9: it did not stop in time."""
        self._ending.set()
        self._keeper.join()
        ended = {}
        for member in self.members:
            self.thaw(member)
            self._signal(member, signal.SIGTERM)
        for member in self.members:
            if member.process is not None:
                try:
                    ended[member.name] = member.process.wait(STOPS_WITHIN)
                except subprocess.TimeoutExpired:
                    member.process.kill()
                    ended[member.name] = member.process.wait()
            if member.log is not None:
                member.log.close()
        return ended

    def _signal(self, member: Member, number: int) -> bool:
        with self._lock:
            if member.process is None or member.process.poll() is not None:
                return False
            with suppress(ProcessLookupError):
                os.kill(member.process.pid, number)
            return True

    def _keep(self) -> None:
        while not self._ending.wait(AGAIN):
            for member in self.members:
                with self._lock:
                    if member.process is not None and member.process.poll() is None:
                        continue
                    if member.process is not None:
                        member.ends.append(member.process.returncode)
                        member.frozen = False
                    self._launch(member)

    def _launch(self, member: Member) -> None:
        folder: Path = self._town.folder
        if member.log is None:
            member.log = (folder / f"{member.name}.log").open("ab")
        member.log.write(f"--- start {member.starts} at {time.monotonic():.1f}\n".encode())
        member.log.flush()
        command = [sys.executable, "-m", self._module, str(self._town.clock_file), str(member.slot)]
        member.process = subprocess.Popen(
            [*command, *member.words],
            cwd=folder,
            env=self._town.environment(),
            stdin=subprocess.PIPE,
            stdout=member.log,
            stderr=member.log,
        )
        member.starts += 1
