"""What the command line does with Slack: doctor, posting the read, sending nudges. Against the stand-in workspace."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
import yaml

from bot.cli.doctor import NEEDED, USEFUL
from models.actions.leaders import set_leaders_channel
from models.vault import new_key
from tests.cast import CHANNEL, DANA, MONDAY, PRIYA, TEAM, Cast, put_cast
from tests.command_line import CommandLine, Said
from tests.databases import ROOT, Database
from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace
from tests.surface import people_in_slack, slip

KEY = new_key()


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        cast = put_cast(session)
        slip(session, cast)
        return cast


@pytest.fixture
def slack(cast: Cast) -> Iterator[SlackServer]:
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    workspace = Workspace("Lantern", manifest=manifest, clock=lambda: MONDAY)
    workspace.team_id = workspace.bot.team_id = TEAM
    people_in_slack(workspace)
    with SlackServer(workspace) as server:
        yield server


def environment(slack: SlackServer) -> Mapping[str, str]:
    return {
        "SLACK_BOT_TOKEN": slack.workspace.bot_token,
        "SLACK_APP_TOKEN": slack.workspace.app_token,
        "SLACK_API_URL": slack.api_url,
        "CADENCE_SECRET_KEYS": KEY,
    }


@pytest.fixture
def run(database: Database, slack: SlackServer) -> CommandLine:
    return CommandLine(database.url, env=environment(slack))


def lines(said: Said, mark: str) -> list[str]:
    return [line[2:] for line in said.out.splitlines() if line.startswith(mark)]


def test_doctor_looks_at_everything_and_shows_no_secret(run: CommandLine, slack: SlackServer) -> None:
    said = run("doctor", status=1)
    good = "\n".join(lines(said, "✓"))
    for part in ("settings", "database", "people", "tiers", "partners", "Slack", "scopes"):
        assert f"{part}: " in good
    assert all(line.startswith("mailbox ") for line in lines(said, "✗"))  # the cast's were never given a secret
    assert slack.workspace.bot_token not in said.out + said.err
    assert KEY not in said.out + said.err
    scopes = [one for one in slack.workspace.bot_scopes if one != "channels:read"]
    env = {**(run.env or {}), "SLACK_BOT_TOKEN": slack.workspace.add_token("xoxb-blind", "bot", scopes).value}
    said = CommandLine(run.url, env=env)("doctor", status=1)
    assert any(CHANNEL in line and "/invite" in line for line in lines(said, "–"))


def test_doctor_names_what_is_missing_and_what_to_do(database: Database) -> None:
    empty = CommandLine(database.url)("doctor", status=1)
    wrong = "\n".join(lines(empty, "✗"))
    for words in ("people import", "partners import", "SLACK_BOT_TOKEN", "mailbox add"):
        assert words in wrong
    broken = CommandLine("sqlite:///nowhere/cadence.db", env={"SLACK_BOT_TOKEN": "xoxb-1"})("doctor", status=1)
    assert "run `cadence migrate`" in broken.out
    setting = CommandLine(database.url, env={"CADENCE_TIMEZONE": "Mars"})("doctor", status=1)
    assert lines(setting, "✗")[0].startswith("settings: CADENCE_TIMEZONE")


def test_doctor_knows_a_revoked_token_missing_scopes_and_a_silent_server(
    run: CommandLine, slack: SlackServer, database: Database
) -> None:
    weak = slack.workspace.add_token("xoxb-weak", "bot", ("chat:write",))
    said = CommandLine(run.url, env={**(run.env or {}), "SLACK_BOT_TOKEN": weak.value})("doctor", status=1)
    assert any("commands, users:read missing" in line for line in lines(said, "✗"))
    slack.workspace.revoke(slack.workspace.bot_token)
    assert any("refuses SLACK_BOT_TOKEN" in line for line in lines(run("doctor", status=1), "✗"))
    nowhere = CommandLine(run.url, env={**(run.env or {}), "SLACK_API_URL": "http://127.0.0.1:1/api/"})
    assert any("cannot be reached" in line for line in lines(nowhere("doctor", status=1), "✗"))


def test_doctor_sees_the_channel_where_it_may(run: CommandLine, slack: SlackServer) -> None:
    scopes = (*slack.workspace.bot_scopes, "channels:read")
    seeing = slack.workspace.add_token("xoxb-seeing", "bot", scopes)
    env = {**(run.env or {}), "SLACK_BOT_TOKEN": seeing.value}
    assert f"channel: the bot is in {CHANNEL}" in lines(CommandLine(run.url, env=env)("doctor", status=1), "✓")
    slack.workspace.archive(CHANNEL)
    assert any("is archived" in line for line in lines(CommandLine(run.url, env=env)("doctor", status=1), "✗"))


def test_doctor_looks_at_the_channel_of_the_leaders_and_says_what_to_do(
    run: CommandLine, slack: SlackServer, database: Database, cast: Cast
) -> None:
    def told(mark: str, token: str | None = None) -> list[str]:
        env = {**(run.env or {}), **({"SLACK_BOT_TOKEN": token} if token else {})}
        said = lines(CommandLine(run.url, env=env)("doctor", status=1), mark)
        return [one.removeprefix("leaders' channel: ") for one in said if one.startswith("leaders' channel: ")]

    assert not [*told("✓"), *told("✗"), *told("–")]  # none is named: the post is off
    with database.sessions.begin() as session:
        set_leaders_channel(session, cast.workspace_id, "test", "C0LEADERS", MONDAY)
    scopes = [one for one in slack.workspace.bot_scopes if one not in ("channels:read", "groups:read")]
    [unseen] = told("–", slack.workspace.add_token("xoxb-blind", "bot", scopes).value)
    assert unseen.startswith("C0LEADERS is set; the bot may not look at it (missing_scope)")
    seeing = slack.workspace.add_token("xoxb-seeing", "bot", (*scopes, "channels:read")).value
    [unknown] = told("✗", seeing)
    assert unknown == "Slack knows no C0LEADERS that the bot may see: check the id and `/invite @Cadence`"
    channel = slack.workspace.add_channel("leadership", id="C0LEADERS", members=["U0ROBIN"])
    assert told("✗", seeing) == ["the bot is not in C0LEADERS: `/invite @Cadence` there"]
    channel.members.append(slack.workspace.bot.id)
    assert told("✓", seeing) == ["the bot is in C0LEADERS"]
    channel.is_ext_shared = True
    [shared] = told("✗", seeing)
    assert shared.startswith("C0LEADERS is shared with another company, so nothing is posted there: choose another")
    assert "`cadence leaders --off`" in shared


def test_the_scopes_that_doctor_asks_for_are_those_of_the_manifest() -> None:
    scopes = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))["oauth_config"]["scopes"]
    assert set(NEEDED) == set(scopes["bot"])
    assert set(USEFUL) == set(scopes["bot_optional"])


def test_the_read_is_posted_once_per_week(run: CommandLine, slack: SlackServer) -> None:
    said = run("read", "--post")
    assert said.err.startswith(f"Posted in {CHANNEL}")
    assert "Weekly read, Mon 23 Nov 2026" in said.out
    posted = len(slack.workspace.messages(CHANNEL))
    assert posted == 1
    assert "not posted again" in run("read", "--post").err
    later = CommandLine(run.url, env=run.env, now=MONDAY + timedelta(days=6))
    assert "not posted again" in later("read", "--post").err
    assert len(slack.workspace.messages(CHANNEL)) == posted


def test_a_read_that_slack_refuses_is_said_to_be_held_and_not_posted(run: CommandLine, slack: SlackServer) -> None:
    slack.workspace.archive(CHANNEL)
    assert "Slack has not confirmed" in run("read", "--post", status=1).err


def test_posting_needs_a_token(database: Database, cast: Cast) -> None:
    for command in (("read", "--post"), ("nudge",)):
        assert "SLACK_BOT_TOKEN" in CommandLine(database.url)(*command, status=2).err


def test_nudges_reach_the_people_they_are_for_once_a_day(run: CommandLine, slack: SlackServer) -> None:
    said = run("nudge").out
    assert "to be told" in said
    for person in (DANA, PRIYA):
        assert len(slack.workspace.messages(slack.workspace.im(person.slack_user_id or "").id)) <= 1
    assert any(slack.workspace.messages(slack.workspace.im(person.slack_user_id or "").id) for person in (DANA, PRIYA))
    assert run("nudge").out.startswith("0 people")
