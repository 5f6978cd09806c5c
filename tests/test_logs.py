"""What is logged names the request or the job it belongs to, and neither a secret nor an address gets through."""

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.listeners.call import named
from bot.logs import working_on
from bot.redaction import ADDRESS, SECRET, Redaction
from models.settings import load_settings

KEY = Fernet.generate_key().decode()
SEALED = Fernet(KEY).encrypt(b"a token").decode()
PASSWORD = "pfeffer und salz 93"
SECRETS = (
    "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "xoxp-1-2-3",
    "xoxe.xoxb-1-MQ",
    "xapp-1-A0KRD7HC3-1015-ba2",
    "ya29.a0AfH6SMBx-Kq_z",
    "1//04dXxyzABC-defGHIjkl_MNO",
    "GOCSPX-abcDEF123_-ghi",
    "0.AXoA-" + "aB3_" * 20,
    "M.C507_BAY.0.U.-CqGy!bM*",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJjYWRlbmNlIn0.c2lnbmF0dXJl",
    "8f742231b10e8888abcd99yyyzzz85a5"[:32].replace("y", "a").replace("z", "b"),
    KEY,
    SEALED,
    PASSWORD,
)
ADDRESSES = (
    "dana@lantern.example",
    "wile.e+coyote@sub.acme.example",
    "o'brien@acme.example",
    "üse@müller.example",
    "DANA@LANTERN.EXAMPLE",
    "dana%40lantern.example",
    '"Dana Kim"@lantern.example',
    "root@localhost",
    "bounce+dana=lantern.example@list.example",
)
POSITIONS: tuple[tuple[str, Callable[[str], dict[str, Any]]], ...] = (
    ("a value", lambda one: {"error": one}),
    ("within words", lambda one: {"error": f"cannot read {one}, try again"}),
    ("the event", lambda one: {"event": f"refused {one}"}),
    ("brackets", lambda one: {"error": f"<{one}> ({one}) [{one}] '{one}'"}),
    ("a key", lambda one: {"mailboxes": {one: 3}}),
    ("a list in a list", lambda one: {"people": [("x", [one]), {one}]}),
    ("deep below", lambda one: {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": one}}}}}}}}}}),
    ("an exception", lambda one: {"error": ValueError(one)}),
    ("bytes", lambda one: {"body": one.encode()}),
    ("a query", lambda one: {"url": f"https://graph.example/v1/users?who={one}&page=2"}),
    ("a path", lambda one: {"url": f"https://graph.example/v1/users/{one}/messages"}),
    ("JSON", lambda one: {"body": json.dumps({"error": {"says": one}}, ensure_ascii=False)}),
    ("a line of its own", lambda one: {"error": f"first\n{one}\nlast"}),
    ("a traceback", lambda one: {"exception": _traceback(one)}),
    ("beside punctuation", lambda one: {"error": f"to:{one};cc={one},{one}."}),
)


def _traceback(words: str) -> str:
    try:
        try:
            raise KeyError(words)
        except KeyError as error:
            error.add_note(f"while reading {words}")
            raise RuntimeError("no") from error
    except RuntimeError as error:
        return "".join(traceback.format_exception(error))


def logged(event: dict[str, Any], *known: str) -> str:
    clean = Redaction((PASSWORD, *known))(None, "info", event)
    return str(structlog.processors.JSONRenderer(ensure_ascii=False)(None, "info", clean))


@pytest.mark.parametrize("position", [name for name, _ in POSITIONS])
def test_no_secret_and_no_address_gets_through(position: str) -> None:
    place = dict(POSITIONS)[position]
    for one in (*SECRETS, *ADDRESSES):
        line = logged(place(one))
        assert one not in line
        for part in one.replace("%40", "@").split("@")[:1]:  # who it is, the more telling half
            assert len(part) < 4 or part.strip('"') not in line, line
        assert SECRET in line or ADDRESS in line


@given(
    local=st.text("abcdefgh0123456789!#$%&'*+-/=?^_`{|}~.", min_size=4, max_size=20),
    domain=st.sampled_from(["acme.example", "a.b.c.example", "localhost", "xn--mller-kva.example"]),
    before=st.text(max_size=10),
    after=st.text(max_size=10),
)
def test_whatever_stands_around_an_address_it_is_taken_out(local: str, domain: str, before: str, after: str) -> None:
    line = Redaction().text(f"{before} {local}@{domain} {after}")
    assert f"{local}@" not in line


@given(secret=st.text(min_size=5, max_size=40), before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_secret_of_the_settings_is_taken_out_whatever_it_looks_like(secret: str, before: str, after: str) -> None:
    line = Redaction([secret]).text(f"{before}{secret}{after}")
    assert secret not in line.replace(SECRET, "").replace(ADDRESS, "") or secret in f"{before}{after}"


@pytest.mark.parametrize(
    "words",
    [
        "postgresql://cadence:hunter2@database/cadence",
        "postgresql://cadence:hun/ter2@x@database/cadence",
        "postgresql://database/cadence?user=cadence&password=hunter2",
        "host=database password=hunter2 user=cadence",
        "host=database password='hunter2 x' user=cadence",
        '{"refresh_token": "hunter2", "client_id": "1"}',
        "{'client_secret': 'hunter2'}",
        '"{\\"access_token\\": \\"hunter2\\"}"',
        "Authorization: Bearer hunter2.hunter2",
        "Cookie: d=hunter2; e=hunter2",
        "grant_type=refresh_token&refresh_token=hunter2&client_id=1",
        "https://cadence.example/oauth?code=hunter2&state=hunter2",
        "https://hooks.slack.com/commands/T1/2/hunter2",
        "wss://wss-primary.slack.com/link/?ticket=hunter2&app_id=1",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        "invalid password: hunter2",
    ],
)
def test_what_a_name_calls_a_secret_is_one(words: str) -> None:
    assert "hunter2" not in logged({"error": words})
    assert "hun/ter2" not in logged({"error": words})


def test_a_field_that_is_called_a_secret_is_one() -> None:
    line = logged({"refresh_token": "plain", "options": {"password": "a b", "host": "imap.example"}, "secrets": 3})
    assert json.loads(line) == {
        "refresh_token": SECRET,
        "options": {"password": SECRET, "host": "imap.example"},
        "secrets": 3,
    }


def test_what_an_operator_needs_stays_readable() -> None:
    said = {
        "event": "step.failed",
        "user": "U0ROBIN",
        "team": "T0LANTERN",
        "error": "The request to the Slack API failed. (url: https://slack.com/api/chat.postMessage)",
        "detail": "refuses SLACK_BOT_TOKEN (invalid_auth): copy it anew from <#C0123|reads>",
        "place": "bot/app.py:129",
        "post": 17,
    }
    assert json.loads(logged(said)) == said


def test_the_settings_know_their_secrets() -> None:
    settings = load_settings(
        CADENCE_DATABASE_URL="postgresql://cadence:hunter%402@database/cadence",
        CADENCE_SECRET_KEYS=f"{KEY},{KEY}",
        SLACK_BOT_TOKEN="xoxb-1",
        SLACK_SIGNING_SECRET="signing",
        MICROSOFT_CLIENT_SECRET="entra",
    )
    assert {"hunter@2", KEY, "xoxb-1", "signing", "entra"} == set(settings.secrets)
    queried = load_settings(CADENCE_DATABASE_URL="postgresql://database/cadence?password=hunter2")
    assert queried.secrets == ("hunter2",)


CHILD = f"""
import logging, sys, threading, warnings
import structlog
from bot.logs import log_to_stderr, working_on
logging.getLogger("early").addHandler(logging.NullHandler())
log_to_stderr(["pfeffer und salz 93"])
ADDRESS, TOKEN = {ADDRESSES[0]!r}, {SECRETS[0]!r}
log = structlog.get_logger("jobs.capture")
with working_on("capture", mailbox=3):
    try:
        raise ValueError(f"no {{ADDRESS}} with {{TOKEN}}")
    except ValueError:
        log.exception("capture.failed", password="pfeffer und salz 93")
        logging.getLogger("slack_bolt").exception("died of %s", ADDRESS)
logging.getLogger("early").warning("%s %s", TOKEN, {{"a": ADDRESS}})
logging.getLogger("urllib3").warning("%d", ADDRESS)
logging.getLogger("urllib3").info("not shown")
warnings.warn(f"deprecated for {{ADDRESS}}")
def die():
    raise RuntimeError(f"thread of {{ADDRESS}}")
thread = threading.Thread(target=die, name="turn"); thread.start(); thread.join()
"""


def test_libraries_threads_and_warnings_go_the_same_way_as_our_own_lines() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == ""
    for one in (ADDRESSES[0], SECRETS[0], PASSWORD, "lantern.example"):
        assert one not in done.stderr
    lines = done.stderr.splitlines()
    assert lines.pop(3) == "a line of urllib3 could not be logged"
    failed, bolt, early, warned, died = map(json.loads, lines)
    assert (failed["event"], failed["job"], failed["mailbox"], failed["level"]) == (
        "capture.failed",
        "capture",
        3,
        "error",
    )
    assert "ValueError: no [address] with [secret]" in failed["exception"]
    assert bolt["run"] == failed["run"], "a library's line names the job, too"
    assert (bolt["logger"], bolt["event"], bolt["level"]) == ("slack_bolt", "died of [address]", "error")
    assert "run" not in early
    assert "deprecated for [address]" in warned["event"]
    assert (died["event"], died["thread"]) == ("thread.died", "turn")
    assert "thread of [address]" in died["exception"]


# Which request, which job


class Context:
    team_id, user_id = "T0LANTERN", "U0ROBIN"


def test_a_request_is_named_by_ids_that_open_nothing() -> None:
    trigger = "13345224609.738474920.8088930838d88f008e0"
    pressed = {
        "type": "block_actions",
        "trigger_id": trigger,
        "actions": [{"action_id": "claim:7"}],
        "user": {"name": "Robin"},
    }
    facts = named(Context(), pressed)  # type: ignore[arg-type]  # all that is asked of a context
    assert facts == named(Context(), pressed), "the same on every replica"  # type: ignore[arg-type]
    assert trigger not in str(facts)
    assert {name: facts[name] for name in ("team", "user", "kind", "action")} == {
        "team": "T0LANTERN",
        "user": "U0ROBIN",
        "kind": "block_actions",
        "action": "claim:7",
    }
    assert "Robin" not in facts.values()
    event = named(Context(), {"type": "event_callback", "event_id": "Ev08MFMKH6"})  # type: ignore[arg-type]
    assert event["request"] == "Ev08MFMKH6"
    assert len(named(Context(), {"command": "/cadence", "text": "Acme"})["request"]) == 12  # type: ignore[arg-type]


def test_every_run_of_a_job_has_its_own_word() -> None:
    runs = []
    for _ in range(2):
        with working_on("tick"):
            runs.append(structlog.contextvars.get_contextvars()["run"])
    assert runs[0] != runs[1]
    assert "run" not in structlog.contextvars.get_contextvars()


def test_logging_of_the_tests_is_left_alone() -> None:
    assert not [one for one in logging.getLogger().handlers if type(one).__module__ == "bot.logs"]
