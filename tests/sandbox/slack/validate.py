"""Refuses what the platform refuses: whole messages, views and option lists, judged by the Block Kit tables."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.sandbox.slack import block_kit as kit
from tests.sandbox.slack.checks import Report, anything, boolean, list_of, one_of, plain, shape, string, typed
from tests.sandbox.slack.errors import SlackError

Json = dict[str, Any]

POST_TEXT = 40_000
UPDATE_TEXT = 4_000
SERIALIZED_BLOCKS = 13_200
VIEW_BYTES = 250_000
ATTACHMENTS = 100

_view = {
    "type": one_of("modal", "home"),
    "blocks": anything,
    "private_metadata": string(3000),
    "callback_id": string(255),
}
HOME = shape({**_view, "external_id": string(255)}, ("type", "blocks"))
MODAL = shape(
    {
        **_view,
        "title": plain(24),
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "external_id": string(255),
        "submit_disabled": boolean,
    },
    ("type", "title", "blocks"),
)
COMMAND_REPLY = {
    *("text", "blocks", "attachments", "response_type", "replace_original", "delete_original", "unfurl_links"),
    *("unfurl_media", "thread_ts", "metadata", "mrkdwn", "username", "icon_emoji", "icon_url", "parse", "link_names"),
}


def check_blocks(blocks: Any, surface: str, report: Report) -> None:
    one = typed(f"{surface} block", kit.BLOCKS, kit.SURFACES[surface])
    list_of(one, 0, kit.MOST_BLOCKS[surface])(blocks, report)
    if report.messages:
        return
    _unique(blocks, "block_id", report)
    for index, block in enumerate(blocks):
        _unique(elements_of(block), "action_id", report.at(index))
    kinds = Counter(block["type"] for block in blocks)
    for kind, most in (*((k, 1) for k in kit.ONE_PER_MESSAGE), ("data_visualization", kit.CHARTS_PER_MESSAGE)):
        if kinds[kind] > most:
            report.error(f"no more than {most} {kind} block allowed")
    if sum(len(b["text"]) for b in blocks if b["type"] == "markdown") > kit.MARKDOWN_CHARACTERS:
        report.error(f"markdown blocks must be less than {kit.MARKDOWN_CHARACTERS + 1} characters together")
    for index, block in enumerate(blocks):
        if block["type"] in ("table", "data_table") and sum(map(len, _strings(block["rows"]))) > kit.TABLE_CHARACTERS:
            report.at(index).error(f"table must be less than {kit.TABLE_CHARACTERS + 1} characters")
    if sum(bool(e.get("focus_on_load")) for b in blocks for e in elements_of(b)) > 1:
        report.error("only one element may have focus_on_load")


def check_message(text: Any, blocks: Any, attachments: Any = (), *, most_text: int | None = None) -> None:
    """Raises what chat.postMessage and its relatives answer. `most_text`: where over-long text is an error, not cut."""
    if blocks is not None and not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments", "[ERROR] must be a string [json-pointer:/text]")
    if not (text or "").strip() and not blocks and not attachments:
        raise SlackError("no_text")
    if most_text is not None and len(text or "") > most_text:
        raise SlackError("msg_too_long")
    if attachments and len(attachments) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    report = Report("/blocks")
    check_blocks(blocks or [], "message", report)
    for index, attachment in enumerate(attachments or ()):
        check_blocks(attachment.get("blocks") or [], "message", Report(f"/attachments/{index}/blocks", report.messages))
    if report.messages:
        raise SlackError("invalid_blocks", *report.messages)
    if len(json.dumps(blocks or [], ensure_ascii=False, separators=(",", ":"))) > SERIALIZED_BLOCKS:
        raise SlackError("msg_blocks_too_long")


def check_view(view: Any, kind: str, where: str = "/view") -> Json:
    """The view as a dict, or the error of views.*: unlike messages they say `invalid_arguments`."""
    view = decode(view, "invalid_arguments", f"[ERROR] must be valid JSON [json-pointer:{where}]")
    report = Report(where)
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", f"[ERROR] must be an object [json-pointer:{where}]")
    if view.get("type") != kind:
        report.at("type").error(f"must be a valid enum value: {kind}")
    (MODAL if kind == "modal" else HOME)(view, report)
    if not report.messages:
        check_blocks(view["blocks"], kind, report.at("blocks"))
    if not report.messages:
        asks = kind == "modal" and any(block["type"] == "input" for block in view["blocks"])
        if asks and not view.get("submit"):
            report.error("missing required field: submit")
    if report.messages:
        raise SlackError("invalid_arguments", *report.messages)
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    return view


def check_options(answer: Any) -> Json:
    """The answer to a block_suggestion: up to 100 options, or up to 100 groups."""
    report = Report()
    shape({"options": list_of(kit.OPTION, 0, 100), "option_groups": list_of(anything, 0, 100)})(answer, report)
    if not report.messages and not ({"options", "option_groups"} & set(answer)):
        report.error("must have exactly one of: options, option_groups")
    if report.messages:
        raise SlackError("invalid_options", *report.messages)
    return dict(answer)


def check_reply(reply: Any) -> Json:
    """The body of a command's ack or of a post to a response_url."""
    if not isinstance(reply, dict):
        raise SlackError("invalid_payload")
    unknown = sorted(set(reply) - COMMAND_REPLY)
    if unknown:
        raise SlackError("invalid_payload", f"[ERROR] invalid additional property: {unknown[0]}")
    if reply.get("response_type") not in (None, "ephemeral", "in_channel"):
        raise SlackError("invalid_payload", "[ERROR] must be ephemeral or in_channel [json-pointer:/response_type]")
    if not truth(reply.get("delete_original")):
        check_message(reply.get("text"), reply.get("blocks"), reply.get("attachments"))
    return reply


def decode(value: Any, error: str, *messages: str) -> Any:
    """Form bodies carry structures as JSON strings."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SlackError(error, *messages) from None


def truth(value: Any) -> bool:
    return value is True or str(value).lower() in ("1", "true")


def elements_of(block: Json) -> list[Json]:
    inside = [
        *(block.get("elements") or ()),
        block.get("accessory"),
        block.get("element"),
        *(block.get("actions") or ()),
    ]
    return [one for one in inside if isinstance(one, dict)]


def with_ids(blocks: Iterable[Json], revision: str) -> list[Json]:
    """Blocks as Slack stores them: every block and interactive element has an id."""
    stored = json.loads(json.dumps(list(blocks)))
    for at, block in enumerate(stored):
        block.setdefault("block_id", f"b{revision}{at}")
        for nth, one in enumerate(elements_of(block)):
            if one.get("type") in kit.ELEMENTS and one["type"] != "image":
                one.setdefault("action_id", f"a{revision}{at}-{nth}")
    return list(stored)


def _unique(items: list[Json], key: str, report: Report) -> None:
    for value, count in Counter(item[key] for item in items if item.get(key)).items():
        if count > 1:
            report.error(f"`{key}`: {value} already exists")


def _strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [s for key, value in node.items() if key != "type" for s in _strings(value)]
    if isinstance(node, list):
        return [s for item in node for s in _strings(item)]
    return [node] if isinstance(node, str) else []
