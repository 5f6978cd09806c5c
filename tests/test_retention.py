"""Old facts are erased by age, and no figure of an instant that is kept changes; a run that is cut off goes on."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.retention import erase_old
from models.actions.reads import hold_read
from models.actions.write import audit
from models.cadence import Policy
from models.queries.pasts import frame, pasts
from models.queries.programme import Programme
from models.queries.quiet import rhythms
from models.queries.retention import Kept, Old, old_touches, what_is_old
from models.queries.standings import standings
from models.queries.trend import trend
from models.settings import SettingsError, load_settings
from models.tables import AuditEntry, Mailbox, Seen, Touch
from models.weeks import week_states
from tests.cast import ACME, GLOBEX, INITECH, MONDAY, UMBRELLA, Cast, put_cast, put_touch
from tests.command_line import CommandLine
from tests.databases import Database

DAY = timedelta(days=1)
KEEP = Kept(1200, 180, 30)
HORIZON = MONDAY - 1200 * DAY


def long_past(session: Session) -> Cast:
    """Mail of five years, in patterns that make other touches matter, under every policy."""
    cast = put_cast(session, started=MONDAY - 2000 * DAY)
    for partner, ours, theirs in (
        (ACME, (1990, 1800, 1500, 1210, 1205, 1100, 30, 2), (1795, 1700, 1201, 900, 20)),
        (GLOBEX, (1900, 1700, 1300), (1650, 1640, 1500)),  # never again: an old mail is the last one
        (INITECH, (1800, 1250, 1240), (1600, 1190)),  # answered only after the horizon
        (UMBRELLA, (1850, 1400), ()),
    ):
        for days in ours:
            put_touch(session, cast, partner, MONDAY - days * DAY)
            put_touch(session, cast, partner, MONDAY - (days + 1) * DAY, field="bcc")
        for days in theirs:
            put_touch(session, cast, partner, MONDAY - days * DAY, by=f"ana@{partner.domains[0]}")
    box = session.scalars(select(Mailbox.id).order_by(Mailbox.id)).first()
    assert box is not None
    for days in (1, 179, 181, 400):
        session.add(Seen(mailbox_id=box, provider_id=f"m{days}", verdict="human", seen_at=MONDAY - days * DAY))
    for days in (29, 31):
        audit(session, cast.workspace_id, "cast", "x", "y", MONDAY - days * DAY)
    return cast


def figures(session: Session, programme: Programme) -> list[Any]:
    """Everything that is said of instants that are kept, under each policy."""
    instants: list[datetime] = [HORIZON + days * DAY for days in (0, 12, 100, 800)] + [MONDAY]
    found: list[Any] = [rhythms(session, programme, MONDAY)]
    for policy in Policy:
        one = Programme(
            **{name: getattr(programme, name) for name in programme.__dataclass_fields__} | {"policy": policy}
        )
        found += [[repr(line) for line in standings(session, one, at)] for at in instants]
        around = frame(session, one)
        found += [week_states(past, instants, around) for past in pasts(session, one, range(1, 11))]
    return found


def test_no_figure_of_a_kept_instant_changes_and_the_rest_is_erased(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = long_past(session)
    with database.reading() as session:
        before, weeks = figures(session, cast.programme), trend(session, cast.programme, MONDAY, 156)
        count = session.scalar(select(func.count()).select_from(Touch)) or 0
        foreseen = what_is_old(session, cast.workspace_id, KEEP, MONDAY)
    done = erase_old(database.sessions, database.reading, cast.programme, KEEP, MONDAY)
    assert done is not None
    assert (done.touches, done.ledger) == (foreseen.touches, 2)
    assert done.touches > 12
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Touch)) == count - done.touches
        assert figures(session, cast.programme) == before
        assert trend(session, cast.programme, MONDAY, 156) == weeks
        assert trend(session, cast.programme, MONDAY, 300)[0].at >= HORIZON
        assert sorted(session.scalars(select(Seen.provider_id))) == ["m1", "m179"]
        days = sorted({(MONDAY - at).days for at in session.scalars(select(AuditEntry.at))})
        assert days == [0, 29]
        told = session.scalars(select(AuditEntry).where(AuditEntry.action == "erase by age")).all()
        assert sum((one.after or {})["erased"] for one in told) == done.touches + done.ledger + done.audit
        assert old_touches(session, [*cast.partner_ids.values()], HORIZON) == []
    assert erase_old(database.sessions, database.reading, cast.programme, KEEP, MONDAY) is None  # once a day
    assert erase_old(database.sessions, database.reading, cast.programme, Kept(1200), MONDAY + DAY) == Old()


def test_a_run_that_is_cut_off_after_any_page_goes_on_and_ends_alike(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = long_past(session)
    with database.reading() as session:
        before = figures(session, cast.programme)
        foreseen = what_is_old(session, cast.workspace_id, KEEP, MONDAY)

    def pull_the_plug() -> None:
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            erase_old(
                database.sessions, database.reading, cast.programme, KEEP, MONDAY, partners=1, rows=1,
                watch=pull_the_plug,
            )  # fmt: skip
    with database.reading() as session:
        assert figures(session, cast.programme) == before
    assert erase_old(database.sessions, database.reading, cast.programme, KEEP, MONDAY, partners=1, rows=1) is not None
    with database.reading() as session:
        assert what_is_old(session, cast.workspace_id, Kept(1200, 180), MONDAY) == Old()
        told = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "erase by age", AuditEntry.subject == "touches")
        )
        assert sum((one.after or {})["erased"] for one in told) == foreseen.touches


def test_what_is_asked_of_an_instant_that_is_not_kept_is_refused_in_one_line(database: Database) -> None:
    with database.sessions.begin() as session:
        cast = long_past(session)
    run = CommandLine(database.url, env={"CADENCE_KEEP_TOUCHES_DAYS": "1200"})
    shown = run("retention").out
    assert "1200 days" in shown
    assert "for ever" in shown
    with database.sessions.begin() as session:
        hold_read(session, cast.programme, HORIZON - 60 * DAY)
    run("coverage", "--as-of", "2022-01-03")  # nothing is erased yet
    week = (HORIZON - 60 * DAY).date().isoformat()
    run("read", "--compare", week)
    foreseen = run("retention", "--json").json["touches"]["to_erase"]
    done = erase_old(database.sessions, database.reading, cast.programme, Kept(1200), MONDAY)
    assert done == Old(touches=foreseen)
    refused = run("coverage", "--as-of", "2022-01-03", status=1)
    assert refused.err.count("\n") == 1
    assert "are not kept" in refused.err
    assert refused.out == ""
    assert "are not kept" in run("read", "--compare", week, status=1).err
    run("coverage", "--as-of", (HORIZON + DAY).date().isoformat())
    assert run("retention", "--json").json["touches"] == {"keep_days": 1200, "to_erase": 0}


@pytest.mark.parametrize("name", ["TOUCHES", "LEDGER", "AUDIT"])
def test_a_setting_under_which_figures_would_change_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(SettingsError, match=f"CADENCE_KEEP_{name}_DAYS: give 0 to keep everything, or at least"):
        load_settings(**{f"CADENCE_KEEP_{name}_DAYS": "7"})
    assert load_settings(**{f"CADENCE_KEEP_{name}_DAYS": "0"}).keep_touches_days == 0
