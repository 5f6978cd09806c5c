"""A command whose partner was not clear is carried out for the one that was chosen, with the words that were typed."""

from collections.abc import Callable

from slack_bolt import App

from bot import ids
from bot.ids import Carried, OldButton
from bot.listeners import claims, next_steps, pause
from bot.listeners.call import Call, on_action
from bot.listeners.desk import Desk
from bot.listeners.pages import answer
from bot.views.kit import Payload

FOR: dict[str, Callable[[Call, Carried, str | None], Payload | None]] = {
    **next_steps.FOR_CHOSEN,
    **claims.FOR_CHOSEN,
    **pause.FOR_CHOSEN,
}


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.CHOSEN, chosen)


def chosen(call: Call) -> None:
    carried = call.carried()
    act = FOR.get(carried.verb or "")
    if act is None:
        raise OldButton("no command waits for a partner like this")
    told = act(call, carried, call.key())
    call.ack()
    if told is not None:
        answer(call, told)
