"""A quarter of coverage as one page for a leader: where it stands, how it moved, and what the figures rest on.

Every figure carries its parts in a `data` element with an id, so that programs read the same numbers as people.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from zoneinfo import ZoneInfo

from bot import coverage_words, wording
from bot.report import method, tables
from bot.report.chart import charts, left_out
from bot.report.markup import Html, element, outside, unbroken
from bot.report.tables import TIER_ROOM, figure
from models.clock import local_day
from models.queries.coverage import CoverageOverTime
from models.queries.quarter import Quarter
from models.queries.trend import TrendLine
from models.weekly_read import TierLine


def report_page(found: Quarter, zone: ZoneInfo, *, partners: bool = False) -> str:
    """`partners` adds the appendix that names partners. People are named nowhere."""
    style = files("bot.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = [
        _top(found, zone),
        _standing(found, zone),
        _weeks(found, zone),
        _beside(found, zone),
        _recoveries(found, zone),
        _unseen(found),
        _outside(found),
        _signals(found),
        tables.week_tables(found.coverage.weeks),
        method.method(found, zone),
        tables.appendix(found, zone) if partners else None,
        element(
            "footer",
            element(
                "p",
                "Made by Cadence from the headers of mail. This page loads nothing and runs nothing.",
                class_="soft",
            ),
            element(
                "p",
                "On a screen the page has the weeks in numbers as well; ",
                element("code", "cadence coverage --weeks --csv"),
                " has them as a table.",
                class_="soft on-paper",
            ),
        ),
    ]
    body = element("body", element("main", *sections))
    return f"<!doctype html>\n{element('html', _head(found, zone, style), body, lang='en')}\n"


def _head(found: Quarter, zone: ZoneInfo, style: str) -> Html:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("title", f"Cadence coverage, {method.day(found.at, zone)}"),
        element("style", Html(style)),
    )


def _top(found: Quarter, zone: ZoneInfo) -> Html:
    count = len(found.weeks)
    span = f"{wording.plural(count, 'weekly read')} until {method.day(found.until, zone)}; " if found.until else ""
    return element(
        "header",
        element("h1", "Cadence coverage"),
        element("p", "Were the partners we signed written to in time?"),
        element("p", f"{span}as of {method.moment(found.at, zone)}", class_="soft"),
    )


def _standing(found: Quarter, zone: ZoneInfo) -> Html:
    now = found.coverage
    if not now.tiers:
        return _section(
            "now", "Where it stands", element("p", "No tiers are set yet: `cadence tiers set` makes the first one.")
        )
    return _section(
        "now",
        "Where it stands",
        _first_words(found, zone),
        element("ul", *(_card(one, now, zone) for one in now.tiers), class_="cards"),
        element(
            "p", "All tiers together: ", figure("now-all-coverage", now.overall, wording.counted(now.overall)), "."
        ),
    )


def _beside(found: Quarter, zone: ZoneInfo) -> Html | None:
    """What coverage alone does not tell, and all of it in the sentences that Slack shows."""
    now = found.coverage
    if not any(one.coverage.eligible for one in now.tiers) and not any(one.coverage.eligible for one in now.weeks):
        return None
    said = [element("li", unbroken(one)) for one in coverage_words.page(now, zone)]
    return _section(
        "beside",
        "Was the mail answered, and were the windows kept?",
        tables.now_table(now),
        element(
            "p", "All of it in words, as ", element("code", "/cadence coverage"), " says it:", class_="soft on-screen"
        ),
        element("ul", *said, class_="words on-screen", id="words"),
    )


def _first_words(found: Quarter, zone: ZoneInfo) -> Html | None:
    """What a page says that has nothing to show yet."""
    now, read = found.coverage, found.read
    if now.overall.eligible:
        return None
    if now.new:
        first = wording.plural(now.new, "partner is new", "partners are new")
        return element("p", f"{first}: each counts once it was written to, or when its first window ends.")
    if read.ended or now.paused or now.untiered or now.blind:
        return element("p", "No partner counts at this instant: all of them are named below with the reason.")
    next_on = method.day(found.next_read_at, zone)
    return element(
        "p", f"There are no partners yet. Once they are imported, the weekly read of {next_on} has the first figures."
    )


def _card(one: TierLine, now: CoverageOverTime, zone: ZoneInfo) -> Html:
    then = coverage_words.oldest(now.weeks, one.tier.rank)
    moved = wording.change(one.coverage, then.coverage if then else None)
    share = wording.percent(one.coverage)
    since = wording.on_day(then.week, local_day(now.at, zone)) if then else ""
    if one.coverage.eligible:
        counts = f"{one.coverage.covered} of {one.coverage.eligible} covered"
        change = f"{moved} since " + since.replace(" ", "\u00a0") if moved else "no figure to compare with"
    else:
        counts, change = "no eligible partners", ""
    return element(
        "li",
        element("h3", outside(one.tier.name, TIER_ROOM)),
        element(
            "p",
            figure(f"now-{one.tier.rank}-coverage", one.coverage, "–" if share is None else f"{share} %"),
            class_="share",
        ),
        element("p", counts),
        element("p", change, class_="soft") if change else None,
        element("p", f"a touch every {wording.plural(one.tier.window_days, 'day')}", class_="soft"),
        class_="card",
    )


def _weeks(found: Quarter, zone: ZoneInfo) -> Html:
    lines = found.coverage.weeks
    drawn = charts(lines, coverage_words.picture(lines, zone))
    if drawn is None:
        return _section("trend", "How it moved", element("p", _no_line(found, zone)))
    caption = [
        "Share of the eligible partners that were covered at each weekly read.",
        _marks(lines),
        left_out(lines),
        coverage_words.before_it_began(lines),
        coverage_words.sources(lines, mail=found.coverage.mail),
    ]
    return _section(
        "trend",
        "How it moved",
        element("figure", drawn, element("figcaption", unbroken(" ".join(filter(None, caption))))),
    )


def _no_line(found: Quarter, zone: ZoneInfo) -> str:
    lines, next_on = found.coverage.weeks, method.day(found.next_read_at, zone)
    counted = len({one.week for one in lines if one.coverage.eligible})
    if not lines:
        return f"No weekly read was due yet. The first is on {next_on}; the line begins there."
    if not counted:
        return f"No partner was eligible at these reads, so there is no line to draw. The next read is on {next_on}."
    return f"A line needs two reads with eligible partners; here is one. The next read is on {next_on}."


def _marks(lines: tuple[TrendLine, ...]) -> str | None:
    made = [one.source == coverage_words.RECONSTRUCTED for one in lines]
    if not any(made):
        return None
    held = "" if all(made) else " Filled marks: as the read was held."
    return f"Hollow marks on grey ground: reconstructed.{held}"


def _recoveries(found: Quarter, zone: ZoneInfo) -> Html:
    if found.since is None or found.until is None:
        return _section(
            "recoveries", "Recoveries", element("p", "No weekly read was due yet, so no recovery was opened.")
        )
    span = f"After {method.day(found.since, zone)} and until {method.day(found.until, zone)}"
    if not found.coverage.recoveries:
        return _section("recoveries", "Recoveries", element("p", f"{span}, none was needed or taken."))
    return _section(
        "recoveries",
        "Recoveries",
        element(
            "p",
            "Somebody takes on a recovery touch for a partner that slipped, and the mail itself closes it.",
        ),
        tables.recovery_table(found, f"{span}, per tier"),
    )


def _unseen(found: Quarter) -> Html:
    read = found.read
    blind, troubled = found.coverage.blind, len(read.troubles)
    unobserved = sum(one.unobserved for one in read.overdue)
    rows = [
        (
            "unseen-blind",
            "Partners that may be overdue",
            blind,
            "no mailbox of the owner has synced within 24 hours; not counted, for one window at most",
        ),
        (
            "unseen-overdue",
            "Overdue partners, unseen",
            unobserved,
            "not seen for longer than a window; they count, so unplugging a mailbox raises no coverage",
        ),
        (
            "unseen-mailboxes",
            "Mailboxes that need attention",
            troubled,
            "what was written there may be missing from these figures",
        ),
    ]
    if not (blind or troubled or unobserved):
        said = "Nothing: a mailbox that synced within 24 hours vouches for every partner that slipped."
        return _section("unseen", "What could not be seen", element("p", said))
    return _section("unseen", "What could not be seen", tables.count_table("At this instant", rows))


def _outside(found: Quarter) -> Html:
    return _section(
        "outside",
        "Who is not counted, and why",
        element("p", "Coverage is counted of the eligible partners. Nobody drops out of it silently:"),
        tables.outside_table(found),
    )


def _signals(found: Quarter) -> Html:
    read = found.read
    soon = sum(one.due_soon for one in found.coverage.tiers)
    step = "its day has passed, or it has none and is older than a window"
    rows = [
        ("signal-due-soon", "Due soon", soon, "the last quarter of the window has begun"),
        (
            "signal-reply-owed",
            "Waiting for our reply",
            len(read.reply_owed),
            "they wrote last, two business days ago or more",
        ),
        ("signal-step-stale", "Next step left lying", len(read.step_stale), step),
    ]
    return _section(
        "signals",
        "Early signals",
        element(
            "p", "They come before a window ends and change no figure. Overdue partners are not counted again here."
        ),
        tables.count_table("Partners at this instant", rows),
    )


def _section(ident: str, title: str, *children: Html | None) -> Html:
    return element(
        "section", element("h2", title, id=f"{ident}-title"), *children, id=ident, aria_labelledby=f"{ident}-title"
    )
