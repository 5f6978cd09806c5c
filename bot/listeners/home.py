"""The App Home tab, drawn whenever somebody opens it."""

from slack_bolt import App

from bot.listeners.call import Call, answering
from bot.listeners.desk import Desk, Refused
from bot.listeners.homepage import home
from bot.views.home import stranger_view
from bot.views.kit import View
from models.actions.deliveries import first_delivery


def register(app: App, desk: Desk) -> None:
    app.event("app_home_opened")(answering(desk, opened))


def opened(call: Call) -> None:
    if call.body["event"].get("tab") != "home":
        return
    with call.desk.sessions.begin() as session:
        if not first_delivery(session, call.key(), call.now):
            return

    def draw() -> View:
        try:
            return home(call)
        except Refused as error:
            return stranger_view(str(error))

    call.publish(draw(), draw)
