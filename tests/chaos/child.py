"""One process of the product: `python -m tests.chaos.child CLOCK SLOT run --port 3000 …`. Only the clock is another.

It dies with its input, so that whatever becomes of the launcher nothing is left behind.
"""

import gc
import os
import signal
import sys
import threading
from pathlib import Path

from bot.cli.app import cadence
from bot.cli.common import Desk
from bot.logs import take_in_libraries
from tests.chaos.clock import SharedClock


def outlive_nobody() -> None:
    os.read(0, 1)  # sys.stdin has a lock that the interpreter wants at its end
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    threading.Thread(target=outlive_nobody, daemon=True).start()
    clock, slot, *words = sys.argv[1:]
    gc.freeze()
    take_in_libraries()
    cadence.main(words, prog_name="cadence", obj=Desk(clock=SharedClock(Path(clock), int(slot))))


if __name__ == "__main__":
    main()
