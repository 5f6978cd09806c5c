"""Block Kit as tables: the fields of every element and block, their limits, and where each may stand."""

from typing import Any

from tests.sandbox.slack.checks import (
    Check,
    Report,
    anything,
    boolean,
    every,
    exactly_one,
    integer,
    list_of,
    matching,
    number,
    one_of,
    plain,
    shape,
    string,
    text,
    typed,
)

ID = string(255, 1)
DATE = matching(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
TIME = matching(r"([01]\d|2[0-3]):[0-5]\d")
USER = matching(r"[UW][A-Z0-9]+")
CONVERSATION = matching(r"[CDGUW][A-Z0-9]+")
CHANNEL = matching(r"C[A-Z0-9]+")
LABEL = string(75)

CONFIRM = shape(
    {
        "title": plain(100),
        "text": text(300),
        "confirm": plain(30),
        "deny": plain(30),
        "style": one_of("primary", "danger"),
    },
    ("title", "text", "confirm", "deny"),
)
_OPTION = {"text": plain(75), "value": string(150, 1), "description": plain(75)}
OPTION = shape(_OPTION, ("text", "value"))
OVERFLOW_OPTION = shape({**_OPTION, "url": string(3000)}, ("text", "value"))
BOX_OPTION = shape({**_OPTION, "text": text(75), "description": text(75)}, ("text", "value"))
OPTIONS = list_of(OPTION, 1, 100)
GROUPS = list_of(shape({"label": plain(75), "options": OPTIONS}, ("label", "options")), 1, 100)
DISPATCH = shape({"trigger_actions_on": list_of(one_of("on_enter_pressed", "on_character_entered"), 1, 2)})
FILTER = shape(
    {
        "include": list_of(one_of("im", "mpim", "private", "public"), 1, 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    }
)


def _initial_is_an_option(value: Any, report: Report) -> None:
    if not isinstance(value, dict):
        return
    chosen = _list(value.get("initial_options")) or [value[key] for key in ("initial_option",) if value.get(key)]
    groups = _list(value.get("option_groups")) or [value]
    known = [option for group in groups if isinstance(group, dict) for option in _list(group.get("options"))]
    if any(option not in known for option in chosen):
        report.error("initial option must be one of the options")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def element(fields: dict[str, Check], required: tuple[str, ...] = (), *, choice: bool = False) -> Check:
    base = {"type": anything, "action_id": ID, "confirm": CONFIRM, "focus_on_load": boolean}
    check = shape({**base, **fields}, required)
    return every(check, _initial_is_an_option) if choice else check


def _menu(fields: dict[str, Check], initial: str, kind: Check) -> tuple[Check, Check]:
    """The single and the multi variant of one select menu."""
    base = {"placeholder": plain(150), **fields}
    multi = {**base, f"{initial}s": list_of(kind, 0, 100), "max_selected_items": integer(1, 100)}
    choice = "options" in fields
    single: Check = element({**base, initial: kind, "response_url_enabled": boolean}, choice=choice)
    several: Check = element(multi, choice=choice)
    if choice:
        only = exactly_one("options", "option_groups")
        return every(single, only), every(several, only)
    return single, several


_here = {"default_to_current_conversation": boolean, "filter": FILTER}
STATIC, MULTI_STATIC = _menu({"options": OPTIONS, "option_groups": GROUPS}, "initial_option", OPTION)
EXTERNAL, MULTI_EXTERNAL = _menu({"min_query_length": integer(0, 3000)}, "initial_option", OPTION)
USERS, MULTI_USERS = _menu({}, "initial_user", USER)
CONVERSATIONS, MULTI_CONVERSATIONS = _menu(_here, "initial_conversation", CONVERSATION)
CHANNELS, MULTI_CHANNELS = _menu({}, "initial_channel", CHANNEL)
_boxes = {"options": list_of(BOX_OPTION, 1, 10)}
_line = {"placeholder": plain(150), "initial_value": string(3000), "dispatch_action_config": DISPATCH}
_button = {"text": plain(75), "style": one_of("primary", "danger"), "accessibility_label": LABEL}
_image = {
    "image_url": string(3000, 1),
    "slack_file": anything,
    "alt_text": string(2000),
    "type": anything,
}

ELEMENTS: dict[str, Check] = {
    "button": element({**_button, "url": string(3000), "value": string(2000)}, ("text",)),
    "workflow_button": element({**_button, "workflow": anything}, ("text", "workflow")),
    "static_select": STATIC,
    "multi_static_select": MULTI_STATIC,
    "external_select": EXTERNAL,
    "multi_external_select": MULTI_EXTERNAL,
    "users_select": USERS,
    "multi_users_select": MULTI_USERS,
    "conversations_select": CONVERSATIONS,
    "multi_conversations_select": MULTI_CONVERSATIONS,
    "channels_select": CHANNELS,
    "multi_channels_select": MULTI_CHANNELS,
    "overflow": element({"options": list_of(OVERFLOW_OPTION, 1, 5)}, ("options",)),
    "checkboxes": element({**_boxes, "initial_options": list_of(BOX_OPTION, 1, 10)}, ("options",), choice=True),
    "radio_buttons": element({**_boxes, "initial_option": BOX_OPTION}, ("options",), choice=True),
    "datepicker": element({"placeholder": plain(150), "initial_date": DATE}),
    "timepicker": element({"placeholder": plain(150), "initial_time": TIME, "timezone": string(100)}),
    "datetimepicker": element({"initial_date_time": integer(1_000_000_000, 9_999_999_999)}),
    "image": every(shape(_image, ("alt_text",)), exactly_one("image_url", "slack_file")),
    "plain_text_input": element(
        {**_line, "multiline": boolean, "min_length": integer(0, 3000), "max_length": integer(1, 3000)}
    ),
    "email_text_input": element(_line),
    "url_text_input": element(_line),
    "number_input": element(
        {**_line, "is_decimal_allowed": boolean, "min_value": string(50), "max_value": string(50)},
        ("is_decimal_allowed",),
    ),
    "rich_text_input": element({**_line, "initial_value": anything}),
    "file_input": element({"filetypes": list_of(string(20, 1), 1, 100), "max_files": integer(1, 10)}),
    "feedback_buttons": element({"positive_button": anything, "negative_button": anything}),
    "icon_button": element({"icon": anything, "text": plain(75), "value": string(2000), "accessibility_label": LABEL}),
}
ELEMENTS_AND_TEXT: dict[str, Check] = {**ELEMENTS, "plain_text": plain(3000), "mrkdwn": text(3000)}

_kinds = ("static", "external", "users", "conversations", "channels")
SELECTS = tuple(f"{kind}_select" for kind in _kinds)
MULTI_SELECTS = tuple(f"multi_{kind}_select" for kind in _kinds)
PICKERS = ("datepicker", "timepicker", "checkboxes", "radio_buttons", *SELECTS, *MULTI_SELECTS)
IN_SECTION = ("button", "workflow_button", "image", "overflow", *PICKERS)
IN_ACTIONS = ("button", "workflow_button", "overflow", "datetimepicker", "rich_text_input", *PICKERS)
IN_INPUT = (
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
    "rich_text_input",
    "file_input",
    "datetimepicker",
    *PICKERS,
)


def block(fields: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    return shape({"type": anything, "block_id": ID, **fields}, required)


def _text_or_fields(value: Any, report: Report) -> None:
    if isinstance(value, dict) and not value.get("text") and not value.get("fields"):
        report.error("must have at least one of: text, fields")


RICH = list_of(
    typed(
        "rich text",
        dict.fromkeys(("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"), anything),
    ),
    1,
    1000,
)
CELL = typed("cell", dict.fromkeys(("raw_text", "raw_number", "rich_text"), anything))
FEW_BUTTONS = list_of(typed("element", ELEMENTS, ("button",)), 1, 3)


def _card(value: Any, report: Report) -> None:
    typed("carousel element", BLOCKS, ("card",))(value, report)


def _child(value: Any, report: Report) -> None:
    typed("container block", BLOCKS, ("section", "divider", "actions", "context", "image", "header"))(value, report)


def _lines_fit_their_axis(chart: Any, report: Report) -> None:
    """Each series has a name of its own and one value for each category, in their order."""
    if report.messages:
        return
    if len({one["name"] for one in chart["series"]}) < len(chart["series"]):
        report.at("series").error("series names must be unique")
    for index, one in enumerate(chart["series"]):
        if [point["label"] for point in one["data"]] != chart["axis_config"]["categories"]:
            report.at("series").at(index).error("data labels must match the categories of axis_config")


_SEGMENT = shape({"label": string(20, 1), "value": number(least=0)}, ("label", "value"))
_POINT = shape({"label": string(20, 1), "value": number()}, ("label", "value"))
_SERIES = shape({"name": string(20, 1), "data": list_of(_POINT, 1, 20)}, ("name", "data"))
_AXIS = shape(
    {"categories": list_of(string(20, 1), 1, 20), "x_label": string(50), "y_label": string(50)}, ("categories",)
)
_LINES = every(
    shape({"type": anything, "series": list_of(_SERIES, 1, 6), "axis_config": _AXIS}, ("series", "axis_config")),
    _lines_fit_their_axis,
)
CHART = typed(
    "chart",
    {
        "pie": shape({"type": anything, "segments": list_of(_SEGMENT, 1, 6)}, ("segments",)),
        **dict.fromkeys(("bar", "area", "line"), _LINES),
    },
)

BLOCKS: dict[str, Check] = {
    "section": every(
        block(
            {
                "text": text(3000),
                "fields": list_of(text(2000), 1, 10),
                "accessory": typed("element", ELEMENTS, IN_SECTION),
                "expand": boolean,
            }
        ),
        _text_or_fields,
    ),
    "header": block({"text": plain(150), "level": integer(1, 4)}, ("text",)),
    "divider": block({}),
    "actions": block({"elements": list_of(typed("element", ELEMENTS, IN_ACTIONS), 1, 25)}, ("elements",)),
    "context": block(
        {"elements": list_of(typed("element", ELEMENTS_AND_TEXT, ("image", "plain_text", "mrkdwn")), 1, 10)},
        ("elements",),
    ),
    "image": every(block({**_image, "title": plain(2000)}, ("alt_text",)), exactly_one("image_url", "slack_file")),
    "input": block(
        {
            "label": plain(2000),
            "element": typed("element", ELEMENTS, IN_INPUT),
            "hint": plain(2000),
            "optional": boolean,
            "dispatch_action": boolean,
        },
        ("label", "element"),
    ),
    "rich_text": block({"elements": RICH}, ("elements",)),
    "video": block(
        {
            "alt_text": string(2000, 1),
            "title": plain(200),
            "thumbnail_url": string(3000, 1),
            "video_url": string(3000, 1),
            "title_url": string(2000),
            "description": plain(200),
            "author_name": string(50),
            "provider_name": string(50),
            "provider_icon_url": string(2000),
        },
        ("alt_text", "title", "thumbnail_url", "video_url"),
    ),
    "markdown": block({"text": string(12_000, 1)}, ("text",)),
    "table": block(
        {"rows": list_of(list_of(CELL, 1, 20), 1, 100), "column_settings": list_of(anything, 1, 20)}, ("rows",)
    ),
    "data_table": block(
        {
            "caption": string(2000, 1),
            "rows": list_of(list_of(CELL, 1, 20), 2, 101),
            "page_size": integer(1, 100),
            "row_header_column_index": integer(0, 19),
        },
        ("caption", "rows"),
    ),
    "data_visualization": block({"title": string(50, 1), "chart": CHART}, ("title", "chart")),
    "card": block(
        {
            "title": text(150),
            "subtitle": text(150),
            "body": text(200),
            "subtext": text(200),
            "icon": anything,
            "hero_image": anything,
            "actions": FEW_BUTTONS,
        }
    ),
    "carousel": block({"elements": list_of(_card, 1, 10)}, ("elements",)),
    "container": block(
        {
            "title": plain(150),
            "subtitle": plain(150),
            "child_blocks": list_of(_child, 1, 10),
            "icon": anything,
            "width": anything,
            "is_collapsible": boolean,
            "default_collapsed": boolean,
        },
        ("title", "child_blocks"),
    ),
    "alert": block({"text": text(200), "level": one_of("default", "info", "warning", "error", "success")}, ("text",)),
}

_everywhere = ("section", "header", "divider", "actions", "context", "image", "input", "rich_text", "video")
SURFACES: dict[str, tuple[str, ...]] = {
    "message": (
        *_everywhere,
        *("markdown", "table", "data_table", "data_visualization", "card", "carousel", "container"),
    ),
    "modal": (*_everywhere, "alert"),
    "home": (*_everywhere, "table", "data_table"),
}
MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
ONE_PER_MESSAGE = ("table",)
TABLE_CHARACTERS = 10_000
MARKDOWN_CHARACTERS = 12_000
CHARTS_PER_MESSAGE = 2
