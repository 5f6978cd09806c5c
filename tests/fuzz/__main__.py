"""Searches for bytes that break a target: with atheris where it is installed, with hypothesis otherwise.

`make fuzz SECONDS=60` spends the seconds on all targets, one after the other; ONLY=name chooses one. A finding ends
the run with its bytes, to be put into a test. Atheris is no dependency: install it into an environment that you keep
for this, with what Cadence's tests need beside it.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.databases import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", default="")
    parser.add_argument("--corpus", type=Path, default=ROOT / ".cache" / "fuzz", help="what led further, kept")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        return search(asked.only, asked.seconds, asked.corpus / asked.only)
    from tests.fuzz.targets import TARGETS

    names = [asked.only] if asked.only else list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {unknown.pop()}; there are {', '.join(TARGETS)}")
    for name in names:
        seconds = max(1, asked.seconds // len(names))
        print(f"— {name} —", flush=True)
        # A process each: libFuzzer ends its process, and counts what it covers from zero.
        command = [sys.executable, "-m", "tests.fuzz", "--alone", "--only", name, "--seconds", str(seconds)]
        ended = subprocess.run([*command, "--corpus", str(asked.corpus)], check=False).returncode
        if ended:
            return ended
    return 0


def search(name: str, seconds: int, corpus: Path) -> int:
    corpus.mkdir(parents=True, exist_ok=True)
    try:
        import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]  # installed by who wants it
    except ImportError:
        return by_chance(name, seconds)
    with atheris.instrument_imports(include=["models", "jobs.mailbox", "tests.fuzz.targets"]):
        from tests.fuzz.targets import SEEDS, TARGETS
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-len_control=20",
        "-timeout=20",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus.parent}/", str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


def by_chance(name: str, seconds: int) -> int:
    """Without coverage to lead it: seeds with pieces of them mixed in, and whatever hypothesis thinks of."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    from tests.fuzz.targets import SEEDS, TARGETS

    pieces = sorted({piece for seed in SEEDS[name] for piece in seed.split()} | {b" ", b"\n", b"\r\n", b"\x00", b'"'})
    mixed = st.lists(st.sampled_from(pieces) | st.binary(max_size=20), max_size=60).map(b"".join)
    started, runs = time.monotonic(), 0
    while time.monotonic() - started < seconds:

        @settings(max_examples=2_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.one_of(st.binary(max_size=400), mixed, st.text(max_size=200).map(lambda text: text.encode())))
        def round_of(raw: bytes) -> None:
            nonlocal runs
            runs += 1
            TARGETS[name](raw)

        round_of()
    print(f"{runs} inputs by hypothesis, none broke it (atheris, where it is installed, looks further)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
