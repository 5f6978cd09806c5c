"""The independent checker: what the tables say is compared with what really happened. Reads by plain SQL alone.

It imports nothing of the product: a mistake that both shared would be seen by neither.
"""

from collections.abc import Iterator
from datetime import timedelta

from tests.chaos.check_derived import derived
from tests.chaos.check_mail import mail
from tests.chaos.check_promises import audited, claims, next_steps
from tests.chaos.check_talk import messages, reads
from tests.chaos.findings import Finding
from tests.chaos.rows import Tables
from tests.chaos.truth import Truth

QUIET = timedelta(hours=6)  # after everything has settled, no mailbox was read longer ago


def check(tables: Tables, truth: Truth) -> list[Finding]:
    """Every violation there is; empty means that nothing was lost, doubled or kept silent."""
    return [
        *mail(tables, truth),
        *reads(tables, truth),
        *messages(tables, truth),
        *claims(tables, truth),
        *next_steps(tables, truth),
        *audited(tables),
        *derived(tables, truth),
        *stuck(tables, truth),
    ]


def stuck(tables: Tables, truth: Truth) -> Iterator[Finding]:
    """Mailboxes that are read no more, and jobs that wait for nobody."""
    for box in tables["mailbox"]:
        late = box["last_ok_at"] is None or box["last_ok_at"] < truth.ended - QUIET
        if box["status"] != "active" or late:
            shown = {
                name: str(box[name]) for name in ("status", "error", "last_ok_at", "paused_until", "cursor_version")
            }
            yield Finding("mailbox stuck", f"{box['address']}: {shown}, now it is {truth.ended}")
    workers = {row["id"] for row in tables["procrastinate_workers"]} if tables["procrastinate_jobs"] else set()
    for job in tables["procrastinate_jobs"]:
        if str(job["status"]) == "doing" and job["worker_id"] not in workers:
            yield Finding("job stuck", str({name: job[name] for name in ("id", "task_name", "lock", "status", "args")}))
