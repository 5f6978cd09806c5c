"""`python -m tests.chaos --seconds 600 --seed 1`: hard knocks for two bots and three workers, then the checker.

Exit 0: nothing was lost, doubled or kept silent. Exit 1: what was found is printed, and the logs are kept.
"""

import argparse
import random
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.chaos import disk_full
from tests.chaos.checker import check
from tests.chaos.faults import Chaos
from tests.chaos.findings import Finding
from tests.chaos.fleet import Fleet
from tests.chaos.life import Life
from tests.chaos.postgres import Postgres
from tests.chaos.rows import Tables, postgres_tables
from tests.chaos.settle import begun, settle
from tests.chaos.town import Town
from tests.chaos.truth import Truth
from tests.databases import ROOT

LOGS = ROOT / ".cache" / "chaos"
MOST_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long things go wrong")
    parser.add_argument("--seed", type=int, default=None, help="the order of the faults; without it a new one")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1_000_000)
    again = f"make chaos SECONDS={asked.seconds:.0f} SEED={seed}"
    say(f"Seed {seed}. The same again: {again}")
    with ThreadPoolExecutor(1) as beside:
        small = beside.submit(disk_full.run, LOGS / f"{seed}-disk-full", seed, say)
        found = [*run(LOGS / str(seed), seed, asked.seconds), *small.result()]
    say("")
    if not found:
        say(f"Nothing was lost, nothing doubled, nothing kept silent. The same again: {again}")
        return 0
    say(f"{len(found)} violations:")
    for one in found[:MOST_SHOWN]:
        say(f"  {one}")
    if len(found) > MOST_SHOWN:
        say(f"  … and {len(found) - MOST_SHOWN} more, in {LOGS / str(seed) / 'findings'}")
    say(f"Logs: {LOGS / str(seed)}. The same again: {again}")
    return 1


def run(folder: Path, seed: int, seconds: float) -> list[Finding]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    postgres = Postgres()
    try:
        with Town(folder, postgres.url, seed) as town:
            town.prepare()
            fleet = Fleet(town)
            life = Life(town, seed)
            chaos = Chaos(town, fleet, postgres, life, seed, seconds)
            fleet.start()
            life.start()
            if not begun(town):
                say("The first day's work was never done.")
                return [Finding("never began", f"see {folder}")]
            say(f"Two bots and three workers run after {time.monotonic() - began:.0f} s; now things go wrong.")
            chaos.start()
            time.sleep(seconds)
            life.stop()
            chaos.stop()
            say(f"All faults end after {time.monotonic() - began:.0f} s.")
            late = settle(town, say)
            life.go_home()
            say(f"Settled after {time.monotonic() - began:.0f} s.")
            ended = fleet.stop()
            truth = town.truth()
            with psycopg.connect(town.database_url) as server:
                tables = postgres_tables(server)
                found = [Finding("not settled", one) for one in late]
                found += [Finding("did not stop", f"{name}: exit {code}") for name, code in ended.items() if code]
                found += check(tables, truth)
                report(tables, truth, chaos, life, fleet)
    finally:
        postgres.keep_log(folder / "postgres.log")
        postgres.close()
    (folder / "findings").write_text("".join(f"{one}\n" for one in found), encoding="utf-8")
    say(f"Checked after {time.monotonic() - began:.0f} s.")
    return found


def report(tables: Tables, truth: Truth, chaos: Chaos, life: Life, fleet: Fleet) -> None:
    lines = {
        "faults survived": chaos.done,
        "what people did": life.done,
        "starts of processes": {member.name: member.starts for member in fleet.members},
        "what is there": {
            "copies of mails in mailboxes": len(truth.copies),
            "touches": len(tables["touch"]),
            "captures of touches": len(tables["sighting"]),
            "reads": len(tables["read"]),
            "messages that Slack took": len(truth.accepted),
            "messages of an unknown fate": _count(tables, "outbox_post", "status", "unknown"),
            "episodes": len(tables["episode"]),
            "claims": len(tables["claim"]),
            "next steps": len(tables["next_step"]),
            "entries of the audit": len(tables["audit_entry"]),
        },
    }
    for title, numbers in lines.items():
        say(f"\n{title}")
        for name, number in sorted(numbers.items()):
            say(f"  {number:7,}  {name}")
    say(f"  {sum(chaos.done.values()):7,}  faults in all")


def _count(tables: Tables, table: str, column: str, value: object) -> int:
    return sum(row[column] == value for row in tables[table])


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201  # a program that is run by hand


if __name__ == "__main__":
    sys.exit(main())
