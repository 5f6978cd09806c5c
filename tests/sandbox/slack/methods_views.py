"""views.*: what the app shows on a trigger, and on Home."""

from typing import Any

from tests.sandbox.slack import validate
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.views import View
from tests.sandbox.slack.web_api import Asked, method

Json = dict[str, Any]


def stored(asked: Asked, view: Json) -> Json:
    return {**view, "blocks": validate.with_ids(view["blocks"], asked.workspace.new_id(""))}


def _shown(asked: Asked, view: View) -> Json:
    return {"view": asked.workspace.views.payload(view)}


def _trigger(asked: Asked) -> str:
    return asked.text("trigger_id") or asked.need("interactivity_pointer")


@method("views.open")
def views_open(asked: Asked) -> Json:
    trigger = _trigger(asked)
    view = validate.check_view(asked.args.get("view"), "modal")
    return _shown(asked, asked.workspace.views.open(trigger, stored(asked, view)))


@method("views.push")
def views_push(asked: Asked) -> Json:
    trigger = _trigger(asked)
    view = validate.check_view(asked.args.get("view"), "modal")
    return _shown(asked, asked.workspace.views.push(trigger, stored(asked, view)))


@method("views.update")
def views_update(asked: Asked) -> Json:
    view_id, external_id = asked.text("view_id"), asked.text("external_id")
    if view_id and external_id:
        raise SlackError("invalid_arguments", "[ERROR] Cannot provide both `view_id` and `external_id`")
    if not view_id and not external_id:
        raise SlackError("invalid_arguments", "[ERROR] missing required field: view_id")
    view = asked.workspace.views.find(view_id, external_id)
    kind = str(view.content["type"]) if view else "modal"
    content = validate.check_view(asked.args.get("view"), kind)
    if view is None:
        raise SlackError("not_found")
    return _shown(asked, asked.workspace.views.update(view, stored(asked, content), asked.text("hash")))


@method("views.publish")
def views_publish(asked: Asked) -> Json:
    ws = asked.workspace
    user = asked.need("user_id")
    content = validate.check_view(asked.args.get("view"), "home")
    if user not in ws.users:
        raise SlackError("invalid_arguments", "[ERROR] user not found [json-pointer:/user_id]")
    if not ws.feature("features", "app_home", "home_tab_enabled", default=False):
        raise SlackError("not_enabled")
    return _shown(asked, ws.views.publish(user, stored(asked, content), asked.text("hash")))
