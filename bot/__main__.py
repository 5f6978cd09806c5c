"""`python -m bot …` and `cadence …`: the way in. It holds no logic."""

from bot.cli.app import cadence


def main() -> None:
    cadence(prog_name="cadence")


if __name__ == "__main__":
    main()
