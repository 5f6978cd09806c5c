"""Every figure is the same number on every surface that tells it, for the same instant.

What is compared with is counted here, partner by partner, from the standings; each surface is read as its reader would.
"""

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from html import unescape
from statistics import median
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.views.monthly import monthly_payload
from models.actions import claims, episodes, mailboxes, outbox
from models.actions.next_steps import set_next_step
from models.actions.partners import pause_partner, put_partner
from models.actions.programme import set_tier
from models.actions.reads import hold_read
from models.actions.shutdowns import add_shutdown
from models.cadence import Shutdown, State, Status, Tier
from models.clock import local_day, week_of
from models.queries.coverage import coverage_over_time
from models.queries.programme import Programme, programmes
from models.queries.quiet import gone_quiet
from models.queries.reads import read_instant
from models.queries.standings import standings
from models.settings import load_settings
from models.standing import Standing
from models.tables import Read
from models.views import view
from tests.cast import (
    ACME,
    DANA,
    GLOBEX,
    HOOLI,
    INITECH,
    MONDAY,
    MUELLER,
    PARTNERS,
    PRIYA,
    ROBIN,
    SOYLENT,
    STARK,
    TOMAS,
    UMBRELLA,
    VERA,
    WAYNE,
    ZONE,
    Cast,
    put_cast,
    put_touch,
)
from tests.command_line import CommandLine
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import said
from tests.surface import Surface, surface
from tests.test_report import Seen, seen

WEEK, DAY, HOUR = timedelta(weeks=1), timedelta(days=1), timedelta(hours=1)
THURSDAY = MONDAY - timedelta(days=11) + 6 * HOUR
"""Between two reads; Dana's mailbox was not read for three days then, nor for three days before the Monday."""

WEEKS = 13
FIRST_DAY = (MONDAY - 12 * WEEK).date()
FIRST_DAY = (MONDAY - 12 * WEEK).date()
LEADERS = "C0LEADERS"
LAST_POLL = {DANA.email: MONDAY - 3 * DAY, PRIYA.email: MONDAY + 52 * WEEK, TOMAS.email: MONDAY + 52 * WEEK}
HELD = {(MONDAY - back * WEEK).date() for back in (6, 5, 3, 2)}  # one of them was missed
NEWCO = replace(ACME, name="Newco", domains=("newco.example",), contacts=(), since=date(2026, 11, 10), owner_email=None)
FRESH = replace(NEWCO, name="Fresh", domains=("fresh.example",), since=date(2026, 11, 20), tier=3)
GONE = replace(GLOBEX, name="Gone", domains=("gone.example",), status=Status.ENDED)
RESTING = replace(UMBRELLA, name="Resting", domains=("resting.example",))
AWAY = replace(RESTING, name="Away", domains=("away.example",), tier=None)
EVERYBODY = (*PARTNERS, GONE, RESTING, AWAY)
# Days between two mails of ours, days since the last one, days between two of theirs, days since their last one.
RHYTHMS = {
    ACME: (11, 9, 9, 12),
    GLOBEX: (5, 1, 4, 3),
    INITECH: (14, 16, 15, 9),
    UMBRELLA: (10, 4, 12, 4),
    HOOLI: (8, 2, 3, 33),
    MUELLER: (21, 11, 30, 11),
    SOYLENT: (20, 27, 9, 27),
    STARK: (33, 45, 70, 50),
    WAYNE: (25, 3, 40, 2),
    RESTING: (12, 30, 20, 20),
}


@dataclass
class World:
    """A programme over thirteen weeks, lived day by day: it is swept, claims are taken and lapse, reads are held."""

    database: Database
    cast: Cast
    today: date = FIRST_DAY
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def until(self, now: datetime) -> None:
        while self.today <= now.date():
            with self.database.sessions.begin() as session:
                self._live(session, self.today, now)
            self.today += DAY
        self.again()

    def again(self) -> Programme:
        with self.database.reading() as session:
            self.cast = replace(self.cast, programme=programmes(session, load_settings())[0])
        return self.cast.programme

    def _live(self, session: Session, today: date, now: datetime) -> None:
        at = datetime(today.year, today.month, today.day, 9, tzinfo=ZONE)
        ago = (MONDAY.date() - today).days
        for partner, (ours, our_last, theirs, their_last) in RHYTHMS.items():
            if ago >= our_last and (ago - our_last) % ours == 0 and at - 2 * HOUR <= now:
                put_touch(session, self.cast, partner, at - 2 * HOUR)
            if ago >= their_last and (ago - their_last) % theirs == 0 and at - HOUR <= now:
                put_touch(session, self.cast, partner, at - HOUR, by=f"hello@{partner.domains[0]}")
        for box in self.cast.mailbox_ids:
            if at <= LAST_POLL[box] and not (box == DANA.email and 11 <= ago <= 13):
                mailboxes.mark_clean(session, self.cast.mailbox_ids[box], at - DAY, at)
        programme = programmes(session, load_settings())[0]
        episodes.settle_episodes(session, programme, at)
        lines = standings(session, programme, at)
        episodes.open_episodes(session, programme, [one for one in lines if one.state is State.OVERDUE], at)
        session.flush()
        for one in lines:
            if one.state is State.OVERDUE and one.claim is None and self.dice.random() < 0.5:
                priya, robin = self.cast.person(PRIYA), self.cast.person(ROBIN)
                asks = None if self.dice.random() < 0.6 else robin  # of those who are asked, some say yes the day after
                claims.claim(session, programme, one.facts.partner_id, priya, at, assigned_by_id=asks)
            elif one.claim is not None and one.claim.asked and self.dice.random() < 0.5:
                claims.accept(session, programme, one.facts.partner_id, one.claim.by.id, at)
        claims.lapse_claims(session, programme, at)
        if today in HELD:
            assert hold_read(session, programme, at) is not None


@pytest.fixture
def world(database: Database) -> World:
    started = MONDAY - 13 * WEEK
    with database.sessions.begin() as session:
        cast = put_cast(session, started=started, observed_until=None, partners=EVERYBODY)
        boxes = {
            one.email: mailboxes.put_mailbox(session, cast.workspace_id, "test", one.email, "gmail", started)
            for one in (DANA, PRIYA, TOMAS)
        }
        set_tier(session, cast.workspace_id, "test", Tier(1, "Tier 1", 7, 1), started)
        set_tier(session, cast.workspace_id, "test", Tier(4, "Tier 4", 90), started)  # nobody is in it
        put_partner(session, cast.workspace_id, "test", NEWCO, started)
        put_partner(session, cast.workspace_id, "test", FRESH, started)
        for one, until in ((RESTING, date(2026, 12, 24)), (AWAY, None)):
            partner_id = cast.partner(one)
            pause_partner(session, cast.workspace_id, "test", partner_id, "sabbatical", until, MONDAY - 5 * WEEK)
        days = Shutdown(date(2026, 10, 5), date(2026, 10, 7), "Company days")
        add_shutdown(session, cast.workspace_id, "test", days, MONDAY - 9 * WEEK)
        for one, day in ((HOOLI, date(2026, 11, 9)), (GLOBEX, date(2026, 12, 9))):
            partner_id, dana = cast.partner(one), cast.person(DANA)
            set_next_step(session, cast.programme, partner_id, "Send terms", dana, day, dana, "test", MONDAY - 4 * WEEK)
    return World(database, replace(cast, mailbox_ids=boxes))


def late_evidence(world: World) -> None:
    """A mail of before Thursday and a shutdown of before it come to light on the Friday after."""
    with world.database.sessions.begin() as session:
        put_touch(session, world.cast, INITECH, MONDAY - 21 * DAY, captured_at=THURSDAY + DAY)
        days = Shutdown(date(2026, 10, 26), date(2026, 10, 26), "Moving house")
        add_shutdown(session, world.cast.workspace_id, "test", days, THURSDAY + DAY)
    world.again()


# What it is: counted from the standings, one partner at a time

Figures = dict[Any, Any]


@dataclass
class Truth:
    """`now` and `weeks` by (rank, name) and (week, rank, name); lists by the name of their command.

    `span`, by (rank, name), is of all the weeks; rank 0 is all tiers together.
    """

    now: Figures
    outside: dict[str, int]
    weeks: Figures
    span: Figures
    lists: dict[str, dict[str, Any]]

    @property
    def together(self) -> dict[str, float]:
        return {name: self.span[0, name] for name in RECOVERIES}


def truth(session: Session, programme: Programme, at: datetime) -> Truth:
    lines = standings(session, programme, at)
    counts = Counter(one.state for one in lines)
    outside = {
        "paused": counts[State.PAUSED],
        "new": counts[State.NEW],
        "in no tier": counts[State.UNTIERED],
        "could not be seen": counts[State.BLIND],
    }
    ranks = (1, 2, 3, 4)
    weeks, span = past(session, programme, at)
    quiet = {one.facts.name: silence.words for one, silence in gone_quiet(session, programme, at, lines)}
    return Truth(
        {(rank, name): count for rank in ranks for name, count in tier(lines, rank).items()},
        outside,
        weeks,
        span,
        {
            "overdue": {one.facts.name: one.days_overdue for one in lines if one.state is State.OVERDUE},
            "owed": {one.facts.name: str(one.state) for one in lines if one.reply_owed},
            "stale": {one.facts.name: str(one.state) for one in lines if one.step_stale},
            "quiet": quiet,
        },
    )


def tier(lines: list[Standing], rank: int) -> dict[str, int]:
    mine = [one for one in lines if one.facts.tier is not None and one.facts.tier.rank == rank]
    states = Counter(one.state for one in mine)
    return {
        "covered": states[State.ON_PACE] + states[State.DUE_SOON],
        "eligible": states[State.ON_PACE] + states[State.DUE_SOON] + states[State.OVERDUE],
        "reply_backed": sum(one.reply_backed for one in mine if one.eligible),
        **{
            str(state): states[state] for state in (State.DUE_SOON, State.OVERDUE, State.BLIND, State.NEW, State.PAUSED)
        },
    }


def past(session: Session, programme: Programme, now: datetime) -> tuple[Figures, Figures]:
    """The weeks from what the reads said, else from the standings of their hour; recoveries from the records."""
    held = {row.week: row for row in session.scalars(select(Read).where(Read.at <= now))}
    said_then = list(session.execute(select(view("v_read_line"))).mappings())
    this_week = week_of(local_day(now, programme.zone))
    weeks: Figures = {}
    span: Figures = Counter()
    took: dict[int, list[int]] = {}
    for back in range(WEEKS - 1, -1, -1):
        week = this_week - back * WEEK
        at = held[week].at if week in held else read_instant(programme, week)
        before = week - WEEK
        since = held[before].at if before in held else read_instant(programme, before)
        lines = standings(session, programme, at)
        for rank in (1, 2, 3, 4):
            figures = tier(lines, rank)
            if week in held:
                those = [one for one in said_then if one["week"] == week and one["tier_rank"] == rank]
                figures = {name: sum(one["state"] == name for one in those) for name in figures}
                figures["covered"] = sum(bool(one["covered"]) for one in those)
                figures["eligible"] = sum(bool(one["eligible"]) for one in those)
                figures["reply_backed"] = sum(bool(one["reply_backed"] and one["eligible"]) for one in those)
            happened = recoveries(session, programme, rank, since, at)
            days = happened.pop("days")
            for key in (rank, 0):
                took.setdefault(key, []).extend(days)
            weeks |= {(week, rank, name): figures[name] for name in figures if name != "due_soon"}
            weeks |= {(week, rank, name): count for name, count in happened.items()}
            weeks[week, rank, "days"] = median(days) if days else None
            weeks[week, rank, "source"] = "snapshot" if week in held else "reconstructed"
            for name, count in happened.items():
                span[rank, name] += count
                span[0, name] += count
    for rank, each in took.items():
        span[rank, "days"] = median(each) if each else None
    return weeks, span


def recoveries(session: Session, programme: Programme, rank: int, since: datetime, until: datetime) -> dict[str, Any]:
    opened = [one for one in session.execute(select(view("v_episode"))).mappings() if one["tier_rank"] == rank]
    mine = {one["episode_id"] for one in opened}
    taken = [one for one in session.execute(select(view("v_claim"))).mappings() if one["episode_id"] in mine]

    def then(at: datetime | None) -> bool:
        return at is not None and since < at <= until

    won = [one for one in opened if one["outcome"] == "recovered" and then(one["closed_at"])]
    zone = programme.zone
    return {
        "opened": sum(then(one["opened_at"]) for one in opened),
        "claimed": sum(then(one["taken_at"]) for one in taken),
        "recovered": len(won),
        "lapsed": sum(
            one["end_reason"] == "lapsed" and one["taken_at"] is not None and then(one["ended_at"]) for one in taken
        ),
        "days": [(local_day(one["closed_at"], zone) - local_day(one["opened_at"], zone)).days for one in won],
    }


# How each surface tells it

FIGURE = re.compile(r"(Tier \d):? (?:(\d+) of (\d+)(?: covered)?, (\d+) %|(?:none|no eligible partners))")
RECOVERIES = ("opened", "claimed", "recovered", "lapsed", "days")
NUMBERS = ("covered", "eligible", "reply_backed", "due_soon", "overdue", "blind", "new", "paused")


def parts(sentence: str) -> dict[int, tuple[int, int]]:
    """Both numbers per tier; the per cent beside them must be theirs."""
    found = {}
    for name, some, of, percent in FIGURE.findall(sentence):
        found[int(name[-1])] = (int(some or 0), int(of or 0))
        if of:
            assert percent == str(round(100 * int(some) / int(of) + 1e-9)), sentence
    return found


def outside(text: str) -> dict[str, int]:
    line = next((one for one in text.splitlines() if "Not counted: " in one), "")
    return {name: int((re.findall(rf"(\d+) {name}", line) or [0])[0]) for name in
            ("paused", "new", "in no tier", "could not be seen")}  # fmt: skip


def slack_page(message: Message, true: Truth, on_time: Mapping[int, tuple[int, int]]) -> None:
    """The answer to `/cadence coverage`, and the post for the leadership: sentences, chart and notes."""
    blocks = {one["type"]: one for one in message.blocks}
    told = blocks["section"]["text"]["text"].splitlines()
    starts = r"Backed by a reply – |Windows kept in |Recoveries in these 13 weeks: "
    for words in ("\n".join(told), message.text):
        first, replied, kept, happened = re.split(starts, words)
        assert parts(first) == by_tier(true, "covered")
        assert parts(replied) == by_tier(true, "reply_backed")
        assert parts(kept) == on_time
        counts = re.findall(r"(\d+) (opened|claimed|recovered|lapsed)", happened)
        [days] = re.findall(r"median to recovery: ([\d.]+) day", happened)
        assert {name: float(count) for count, name in [*counts, (days, "days")]} == true.together
    assert outside(said(message.blocks)) == true.outside
    drawn = {
        (series["name"], point["label"].rstrip("*"), "*" in point["label"]): point["value"]
        for series in blocks["data_visualization"]["chart"]["series"]
        for point in series["data"]
    }
    assert len(drawn) >= 20
    for (name, label, starred), value in drawn.items():
        [week] = {key[0] for key in true.weeks if isinstance(key[0], date) and f"{key[0].day} {key[0]:%b}" == label}
        covered, eligible = (true.weeks[week, int(name[-1]), one] for one in ("covered", "eligible"))
        assert value == round(100 * covered / eligible + 1e-9)
        assert starred == (true.weeks[week, int(name[-1]), "source"] == "reconstructed")


def by_tier(true: Truth, name: str) -> dict[int, tuple[int, int]]:
    return {rank: (true.now[rank, name], true.now[rank, "eligible"]) for rank in (1, 2, 3, 4)}


def slack_read(message: Message, true: Truth) -> None:
    words = unescape(said(message.blocks))
    summary = next(one for one in words.splitlines() if one.startswith("Tier 1: "))
    assert parts(summary) == by_tier(true, "covered")
    assert outside(words) == true.outside
    late = true.lists["overdue"]
    assert f"{len(late)} partners need a touch" in words
    for name, days in late.items():
        assert re.search(rf"{re.escape(name)}\W.*?{days} days? past its", words, re.DOTALL), name
    soon = sum(true.now[rank, "due_soon"] for rank in (1, 2, 3, 4))
    [line] = [one for one in words.splitlines() if one.startswith("Due soon: ")]
    assert line.count("(") == soon
    for name in set(true.lists["owed"]) - set(late):
        assert re.search(rf"Waiting for our reply: .*{name}", words)
    for name in set(true.lists["stale"]) - set(late):
        assert re.search(rf"Next step gone stale: .*{name}", words)
    for name, why in true.lists["quiet"].items():
        assert name in late or "Gone quiet" not in words or f"{name} {why}" in words


def slack_lists(at: Surface, true: Truth) -> None:
    for command, title in (
        ("owed", "partners? waits? for our reply"),
        ("stale", "next steps? ha(?:s|ve) gone stale"),
        ("quiet", "partners? ha(?:s|ve) gone quiet"),
    ):
        words = unescape(said(at.ask(VERA, command).blocks))
        assert re.findall(rf"(\d+) {title}", words) == [str(len(true.lists[command]))], command
        assert set(re.findall(r"• \*?(.+?)\*?: ", words)) == set(true.lists[command])
    for why in true.lists["quiet"].values():
        assert why in words


def command_line(run: CommandLine, true: Truth, on_time: Mapping[int, tuple[int, int]]) -> None:
    found = run("coverage", "--weeks", str(WEEKS), "--json").json
    tiers(found["tiers"], true)
    tiers(rows(run("coverage", "--csv").out), true)
    weeks(found["weeks"], true)
    weeks(rows(run("coverage", "--weeks", str(WEEKS), "--csv").out), true)
    assert found["untiered"] == true.outside["in no tier"]
    happened = found["recoveries"]
    assert {name: happened[record(name)] for name in RECOVERIES} == true.together
    for row in happened["tiers"]:
        assert {name: row[record(name)] for name in RECOVERIES} == {
            name: true.span[row["rank"], name] for name in RECOVERIES
        }
    last = [one for one in found["weeks"] if one["week"] == found["weeks"][-1]["week"]]
    assert {one["rank"]: (one["on_time"], one["on_time_of"]) for one in last} == on_time
    read = run("read", "--json").json
    tiers(read["tiers"], true)
    assert {one["partner"]: one["days_overdue"] for one in read["overdue"]} == true.lists["overdue"]
    assert len(read["due_soon"]) == sum(true.now[rank, "due_soon"] for rank in (1, 2, 3, 4))
    assert (read["paused"], read["new"], read["untiered"], len(read["blind"])) == tuple(true.outside.values())
    for command, key in (("overdue", "days_overdue"), ("owed", "state"), ("stale", "state"), ("quiet", "words")):
        listed = run(command, "--json").json
        assert {one["partner"]: one[key] for one in listed} == true.lists[command], command
        table = rows(run(command, "--csv").out)
        assert {one["partner"]: one[key] for one in table} == {
            name: str(value) for name, value in true.lists[command].items()
        }


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def tiers(found: list[dict[str, Any]], true: Truth) -> None:
    assert {(int(one["rank"]), name): int(one[record(name)]) for one in found for name in NUMBERS} == true.now
    for one in found:
        share(one, "coverage", true.now[int(one["rank"]), "covered"], true.now[int(one["rank"]), "eligible"])


def weeks(found: list[dict[str, Any]], true: Truth) -> None:
    assert len(found) == WEEKS * 4
    for one in found:
        week, rank = date.fromisoformat(one["week"]), int(one["rank"])
        for name in ("covered", "eligible", "reply_backed", "overdue", "blind", "new", "paused"):
            assert int(one[record(name)]) == true.weeks[week, rank, name], (week, rank, name)
        for name in ("opened", "claimed", "recovered", "lapsed"):
            assert int(one[name]) == true.weeks[week, rank, name], (week, rank, name)
        days = true.weeks[week, rank, "days"]
        assert (float(one["days_to_recovery"]) if one["days_to_recovery"] not in ("", None) else None) == days
        assert one["source"] == true.weeks[week, rank, "source"]
        share(one, "coverage", true.weeks[week, rank, "covered"], true.weeks[week, rank, "eligible"])


def record(name: str) -> str:
    """The key of a figure in records: there `reply_backed` is the share."""
    return {"reply_backed": "reply_backed_partners", "days": "days_to_recovery"}.get(name, name)


def share(one: Mapping[str, Any], key: str, some: int, of: int) -> None:
    told = None if one[key] in ("", None) else float(one[key])
    assert told == (pytest.approx(some / of) if of else None)


def html(page: Seen, true: Truth, on_time: Mapping[int, tuple[int, int]]) -> None:
    figures = page.figures
    for rank in (1, 2, 3, 4):
        of = true.now[rank, "eligible"]
        assert figures[f"now-{rank}-coverage"] == f"{true.now[rank, 'covered']}/{of}"
        assert figures[f"now-{rank}-reply-backed"] == f"{true.now[rank, 'reply_backed']}/{of}"
        assert figures[f"now-{rank}-on-time"] == "/".join(map(str, on_time[rank]))
        assert figures[f"now-{rank}-due-soon"] == str(true.now[rank, "due_soon"])
        assert figures[f"now-{rank}-overdue"] == str(true.now[rank, "overdue"])
    for name, key in (("new", "new"), ("paused", "paused"), ("blind", "could not be seen"), ("untiered", "in no tier")):
        assert figures[f"outside-{name}"] == str(true.outside[key])
    for (rank, name), value in true.span.items():
        ident = f"quarter-{rank or 'all'}-{name}"
        assert figures[ident] == ("" if value is None else f"{value:g}"), ident
    for (week, rank, name), value in true.weeks.items():
        ident = f"week-{week}-{rank}"
        if name == "covered" and f"{ident}-coverage" in figures:  # an empty tier has no table
            assert figures[f"{ident}-coverage"] == f"{value}/{true.weeks[week, rank, 'eligible']}"
        elif name in ("overdue", "new", "blind", "paused", "opened", "claimed", "recovered", "lapsed", "days"):
            assert figures.get(f"{ident}-{name}", "0" if rank == 4 else None) in (
                "" if value is None else f"{value:g}", "0"
            ), (ident, name)  # fmt: skip
    assert sum(ident.endswith("-coverage") for ident in figures) == 1 + 4 + 3 * WEEKS


def sql_views(session: Session, true: Truth, now: datetime) -> None:
    found = [dict(row) for row in session.execute(select(view("v_coverage"))).mappings()]
    assert {(one["tier_rank"], name): one[name] for one in found for name in NUMBERS} == true.now
    assert {one["as_of"] for one in found} == {now}
    stood = [dict(row) for row in session.execute(select(view("v_partner"))).mappings()]
    assert {one["partner"]: one["days_overdue"] for one in stood if one["state"] == "overdue"} == true.lists["overdue"]
    assert {one["partner"]: one["state"] for one in stood if one["reply_owed"]} == true.lists["owed"]
    known = {key[:2] for key in true.weeks}
    told = [dict(row) for row in session.execute(select(view("v_coverage_week"))).mappings()]
    compared = 0
    for one in told:
        key = (one["week"], one["tier_rank"])
        if key in known:
            compared += 1
            for name in ("covered", "eligible", "reply_backed", "overdue", "new", "blind", "paused", "source"):
                assert one[name] == true.weeks[*key, name], (key, name)
    assert compared >= 3 * WEEKS


def everywhere(world: World, at: Surface, now: datetime) -> Truth:
    """All surfaces at one instant; what each says must be what the standings say."""
    run = CommandLine(world.database.url, now)
    run("views", "--refresh")
    at.clock.at = now
    with world.database.reading() as session:
        true = truth(session, world.cast.programme, now)
        sql_views(session, true, now)
        told = {
            row["tier_rank"]: (row["on_time"], row["on_time_of"])
            for row in session.execute(select(view("v_coverage_week"))).mappings()
            if row["week"] == max(true.weeks)[0]
        }
    command_line(run, true, told)
    html(seen(run("report", "--html", "-").out), true, told)
    slack_page(at.ask(VERA, "coverage"), true, told)
    with world.database.sessions.begin() as session:
        found = coverage_over_time(session, world.cast.programme, now, WEEKS)
        post = monthly_payload(found, ZONE)
        outbox.enqueue(session, world.cast.workspace_id, LEADERS, "monthly", f"{now:%Y-%m-%d}", 0, post, now)
    at.pump()
    slack_page(at.workspace.messages(LEADERS)[-1], true, told)
    slack_lists(at, true)
    return true


def test_every_figure_is_the_same_number_on_every_surface(world: World) -> None:
    world.until(THURSDAY)
    with surface(world.database, cast=world.cast) as at:
        at.workspace.add_channel("leadership", id=LEADERS, members=[at.workspace.bot.id])
        then = everywhere(world, at, THURSDAY)
        late_evidence(world)
        world.until(MONDAY)
        at.cast = world.cast
        at.clock.at = MONDAY
        read = at.hold_read()
        with world.database.reading() as session:
            true = truth(session, world.cast.programme, MONDAY)
        slack_read(read, true)
        now = everywhere(world, at, MONDAY)
    for one in (then, now):  # else nothing was compared
        assert all(one.together.values()), one.together
        assert {key[1] for key, count in one.now.items() if count} == set(NUMBERS), one.now
        assert all(one.outside.values()), one.outside
        assert all(one.lists.values()), one.lists
        assert {one.weeks[key] for key in one.weeks if key[2] == "source"} == {"snapshot", "reconstructed"}
    assert then.now != now.now
