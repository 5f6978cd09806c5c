"""The panel beside the stand-in workspace: send a mail as a manager, move the clock, see how far the story is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request, send_file

from tests.sandbox import story

if TYPE_CHECKING:
    from tests.sandbox.stage import Stage

ABOUT = (
    "It is Monday at Lantern. Mail went out all week, and still eleven Tier 1 partners have heard from nobody for more "
    "than three weeks. The read in #partner-weekly names them."
)
LATER = (
    "Time has passed at Lantern. Partners that nobody wrote to have slipped further; what was written was captured. "
    "Nudges come by direct message, and each Monday brings a new read."
)

FIRST = (
    "Cadence was installed at Lantern a moment ago. Robin, who leads the partner programme, has a private message with "
    "the steps to the first read; nobody else sees anything yet."
)
FIRST_STEPS = {
    "channel": "View as Robin and choose #partner-weekly",
    "roster": "Import people.csv and partners.csv",
    "mailboxes": "Connect the mailboxes from this panel",
    "start": "Look at the preview, and start",
}
FILES = ("people.csv", "partners.csv")
STEPS = {
    "read": "Read Monday's post in #partner-weekly",
    "claim": "View as Dana and press Claim recovery touch",
    "mail": "Send that partner a mail from this panel",
    "recovered": "Watch the read close it by itself",
    "walk": "View as Robin and press Walk the read",
    "clock": "Move the clock and see nudges arrive",
}


def blueprint(stage: Callable[[], "Stage"]) -> Blueprint:
    panel = Blueprint("panel", __name__, url_prefix="/demo")

    @panel.get("/state")
    def state() -> Response:
        on = stage()
        now = on.clock.now().astimezone(story.ZONE)
        return jsonify(
            now=now.isoformat(),
            zone=story.ZONE.key,
            today_label=f"{now:%A %-d %B %Y, %H:%M}",
            story=_about(on, now),
            mailboxes=("connected" if on.connected else "to connect") if on.first_run and not on.reads() else None,
            steps=_steps(on),
            files=[] if not on.first_run or "roster" in on.steps_done else list(FILES),
            afternoon=next_moment(now, "afternoon") is not None,
            managers=[{"id": one.slack_id, "name": one.name} for one in story.MANAGERS],
            partners=[
                {"name": one.name, "owner": one.owner.name, "contact": f"{one.contact_name} <{one.contact}>"}
                for one in sorted(on.story.allies, key=lambda ally: (not ally.quiet, ally.name))
            ],
            busy=None,
        )

    @panel.get("/files/<name>")
    def files(name: str) -> Response:
        if name not in FILES:
            return Response("There is no such file.", 404)
        return send_file(stage().folder.resolve() / name, as_attachment=True)

    @panel.post("/mail")
    def mail() -> Response:
        on, body = stage(), _body()
        sender = next((one for one in story.MANAGERS if one.slack_id == body.get("user")), None)
        ally = next((one for one in on.story.allies if one.name == body.get("partner")), None)
        subject = str(body.get("subject") or "").strip()[:200] or "A short hello"
        if sender is None:
            return jsonify(error="Only partner managers have a mailbox here: view as Dana, Priya or Tomás.")
        if ally is None:
            return jsonify(error="Choose a partner from the list.")
        on.send_mail(sender, ally, subject)
        return jsonify(
            ok=True, said=f"{sender.name} wrote to {ally.contact_name} at {ally.name}. Cadence reads it next."
        )

    @panel.post("/mailboxes")
    def mailboxes() -> Response:
        on = stage()
        if on.connected:
            return jsonify(error="They are connected.")
        on.connect_mailboxes()
        on.wait_for("a pass over every mailbox", on.all_read)
        return jsonify(ok=True, said="Three mailboxes are connected, and eight weeks of mail are read.")

    @panel.post("/clock")
    def clock() -> Response:
        on, to = stage(), _body().get("to")
        at = next_moment(on.clock.now(), str(to))
        if at is None:
            return jsonify(
                error="The clock can go to the next day, to the next Monday, or on a Monday to its afternoon."
            )
        on.move_to(at)
        return jsonify(ok=True, said=f"It is {at.astimezone(story.ZONE):%A %-d %B, %H:%M} now.")

    return panel


def next_moment(now: datetime, to: str) -> datetime | None:
    """Nine o'clock of the next day, or of the next Monday: early on a Monday that is today's. Or its afternoon."""
    local = now.astimezone(story.ZONE)
    if to == "afternoon":
        four = local.replace(hour=16, minute=0, second=30, microsecond=0)
        return four if local.weekday() == 0 and 9 <= local.hour < 16 else None
    early = local.weekday() == 0 and local.hour < 9
    days = {"next_day": 1, "next_monday": 0 if early else 7 - local.weekday()}.get(to)
    if days is None:
        return None
    day = local.date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, 9, tzinfo=story.ZONE)


def _steps(on: "Stage") -> list[dict[str, Any]]:
    """What a visitor does, ticked off once it was seen; the panel asks nobody but the channel."""
    shown = "\n".join(_texts(on))
    steps = {**FIRST_STEPS, **STEPS} if on.first_run else STEPS
    told = "\n".join(one.text for one in on.workspace.im(story.ROBIN.slack_id).messages)
    seen = {
        "channel": "✓ Channel" in told,
        "roster": "✓ People" in told and "✓ Partners" in told,
        "mailboxes": on.connected,
        "start": bool(on.reads()),
        "read": bool(on.reads()),
        "claim": " is on it" in shown,
        "mail": on.mails_sent > 0,
        "recovered": "Recovered by" in shown,
        "walk": any("walk_form" in str(call.args) for call in on.slack.faults.called("views.open")),
        "clock": on.clock.now() > story.READ_AT + timedelta(hours=12),
    }
    on.steps_done |= {step for step, is_there in seen.items() if is_there}
    return [{"id": step, "text": text, "done": step in on.steps_done} for step, text in steps.items()]


def _about(on: "Stage", now: datetime) -> str:
    if on.first_run and not on.reads():
        return FIRST
    return ABOUT if now.date() == story.MONDAY else LATER


def _texts(on: "Stage") -> list[str]:
    def inside(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["text"]] if isinstance(node.get("text"), str) else []
            return own + [text for value in node.values() for text in inside(value)]
        if isinstance(node, list):
            return [text for value in node for text in inside(value)]
        return []

    return [text for message in on.reads() for text in inside(message.blocks)]


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}
