"""`python -m bot …` and `cadence …`: the way in. It holds no logic."""

import gc

from bot.cli.app import cadence
from bot.logs import take_in_libraries


def main() -> None:
    gc.freeze()  # what was imported stays: looking through it for garbage again and again is a tenth of capture's CPU
    take_in_libraries()
    cadence(prog_name="cadence")


if __name__ == "__main__":
    main()
