"""Leafing through long lists, and what a lead decides about a post whose fate nobody knows."""

from slack_bolt import App

from bot import ids
from bot.listeners.call import Call, answering, on_action
from bot.listeners.desk import Desk, Refused
from bot.listeners.pages import answer, list_view, menu_leaf
from bot.views import help as answers
from bot.views.kit import MOST_OPTIONS
from bot.views.lists import owner_choices
from models.actions.deliveries import first_delivery
from models.actions.slack import it_arrived, post_again
from models.actions.write import actor_of


def register(app: App, desk: Desk) -> None:
    on_action(app, desk, ids.SEE_ALL, see_all)
    on_action(app, desk, ids.TURN_PAGE, turn_page)
    on_action(app, desk, ids.FILTER_TIER, filter_list)
    on_action(app, desk, ids.FILTER_OWNER, filter_list)
    app.options(ids.FILTER_OWNER)(answering(desk, offer_owners))
    on_action(app, desk, ids.POST_AGAIN, send_again)
    on_action(app, desk, ids.IT_ARRIVED, arrived)


def see_all(call: Call) -> None:
    call.open(list_view(call, call.carried()))
    call.ack()


def turn_page(call: Call) -> None:
    call.update(list_view(call, call.carried()))
    call.ack()


def filter_list(call: Call) -> None:
    """The chosen option carries the list it leads to."""
    call.update(list_view(call, call.carried()))
    call.ack()


def offer_owners(call: Call) -> None:
    """The owners of a list with more of them than a menu takes, while somebody types."""
    here = call.beneath()
    call.ack(options=owner_choices(menu_leaf(call, here), here, str(call.body.get("value") or ""))[:MOST_OPTIONS])


def send_again(call: Call) -> None:
    _decide(call, again=True)


def arrived(call: Call) -> None:
    _decide(call, again=False)


def _decide(call: Call, *, again: bool) -> None:
    visitor, post_id = call.visitor(leading=True), call.carried().need_post()
    home, actor = visitor.programme.workspace_id, actor_of(visitor.person.id)
    with call.desk.sessions.begin() as session:
        if first_delivery(session, call.key(), call.now):
            decide = post_again if again else it_arrived
            if not decide(session, home, post_id, actor, call.now):
                raise Refused("Somebody has decided about this message already.")
    call.ack()
    said = "It is posted again in a moment." if again else "Noted: it stays as it is. It will not be updated any more."
    answer(call, answers.sorry(said))
