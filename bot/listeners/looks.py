"""The lists and figures that buttons of the Home tab open in a window: what the commands say, without typing any."""

from collections.abc import Callable

from slack_bolt import App

from bot import ids
from bot.ids import OldButton
from bot.listeners import coverage, signals, suggestions
from bot.listeners.call import Call, answering, on_action
from bot.listeners.cards import open_card
from bot.listeners.desk import Desk
from bot.listeners.roster import offered_partners
from bot.views import kit
from bot.views.home import LOOKS
from bot.views.kit import Payload, View

ANSWERS: dict[str, Callable[[Call], Payload]] = {
    "owed": lambda call: signals.told(call, "owed"),
    "stale": lambda call: signals.told(call, "stale"),
    "quiet": lambda call: signals.told(call, "quiet"),
    "coverage": coverage.now,
}


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.LOOK, look)
    on_action(app, desk, ids.FIND_CARD, open_card)
    app.options(ids.FIND_CARD)(answering(desk, offer))


def look(call: Call) -> None:
    """Opens the window at once: years of history, or asking mailboxes, take longer than Slack waits."""
    carried = call.carried()
    verb = carried.verb or ""
    if verb not in LOOKS:
        raise OldButton("no list of ours is called so")
    call.visitor()
    # The next page of a window is drawn over the page before: Slack stacks three windows, no more.
    opened: list[str] = [call.body["view"]["id"]] if call.surface == "modal" else []

    def show(told: Payload) -> None:
        view = _window(verb, told)
        if opened:
            call.let_go()
            call.redraw(opened[0], view)
        else:
            opened.append(call.open(view))

    if verb == "suggest":
        suggestions.search(call, show, carried.page or 0)
        return
    show(kit.notice("One moment …"))
    show(ANSWERS[verb](call))


def offer(call: Call) -> None:
    """The partners whose name fits, while somebody types."""
    call.visitor()
    call.ack(options=offered_partners(call))


def _window(look: str, told: Payload) -> View:
    """A window takes no chart: the words say the same."""
    blocks = [one for one in told["blocks"] if one["type"] != "data_visualization"]
    if len(blocks) < len(told["blocks"]):
        command = f"{ids.COMMAND} {look}"
        blocks.append(kit.context(f"`{command}` draws it too, and `{command} 26` looks further back."))
    return kit.modal(ids.NOTE_MODAL, LOOKS[look][1], blocks)
