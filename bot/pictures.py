"""The picture of coverage for a channel in which Slack draws no chart. The message above it says the same in words.

It needs the optional scope `files:write` and matplotlib, the extra `charts`; without one of them the words stand alone.
"""

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.orm import Session, sessionmaker

from bot import coverage_words
from bot.chart import NoCharts, chart
from bot.views.trend import TREND_PART, TREND_WEEKS
from models.actions.outbox import READ
from models.clock import Clock
from models.queries.outbox import Post
from models.queries.programme import programme
from models.queries.trend import TrendLine, trend
from models.settings import Settings

MONTHLY, WEEKS = "monthly", TREND_WEEKS
SPOKEN = 1000  # letters of a picture's words for those who cannot see it
log = structlog.get_logger(__name__)


def show_picture(
    client: WebClient, channel: str, lines: Sequence[TrendLine], zone: ZoneInfo, thread_ts: str | None = None
) -> bool:
    """Uploads it into the channel or below a message; answers whether it is there. Never raises: it is an extra."""
    if len({one.week for one in lines}) < 2:
        return False
    try:
        client.files_upload_v2(
            channel=channel,
            filename="cadence-coverage.png",
            content=chart(lines, zone),
            title="Cadence coverage",
            alt_txt=coverage_words.picture(lines, zone)[:SPOKEN],
            thread_ts=thread_ts,
        )
    except NoCharts:
        log.info("slack.no_picture", reason="matplotlib is not installed: the extra `charts`")
    except (SlackApiError, OSError, ValueError) as error:  # missing_scope, most likely
        log.info("slack.no_picture", reason=str(error)[:200])
    else:
        return True
    return False


def below_plain_posts(
    settings: Settings, reading: sessionmaker[Session], clock: Clock
) -> Callable[[WebClient, Post, str, str], None]:
    """What the outbox does about a post that Slack took as text only: where a chart belongs, a picture stands."""

    def below(client: WebClient, post: Post, channel: str, ts: str) -> None:
        if post.kind != MONTHLY and (post.kind, post.part) != (READ, TREND_PART):
            return
        with reading() as session:
            ours = programme(session, settings, post.workspace_id)
            lines = trend(session, ours, clock.now(), WEEKS)
        show_picture(client, channel, lines, ours.zone, ts)

    return below
