"""Every id that Slack hands back to us, spelled once, and the codec of what a button carries.

Values carry ids only, never names or facts: the truth is read anew from the database when the button is pressed. Only
the words of a command that waits for its partner travel in a button, so that nobody has to type them again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 1
"""Rises when the meaning of a value changes; buttons of older messages are then answered kindly, not obeyed."""

# Action ids. Those of a row end in the id of its partner, because equal ids in one message are refused.
CLAIM = "claim"
RELEASE = "release"
NEXT_STEP = "next_step"
ROW_MENU = "row_menu"
SEE_ALL = "see_all"
TURN_PAGE = "turn_page"
ASSIGN = "assign"
POST_AGAIN = "post_again"
IT_ARRIVED = "it_arrived"
SNOOZE = "snooze"
NUDGES_OFF = "nudges_off"
NUDGES_ON = "nudges_on"
ADD_PARTNER = "add_partner"
WALK = "walk"
PAUSE = "pause"
RESUME = "resume"
ACCEPT = "accept_claim"
DECLINE = "decline_claim"
ASSIGN_ONE = "assign_one"
TAKE_BACK = "take_back"
CHOSEN = "chosen_partner"
STEP_DONE = "step_done"
STEP_HISTORY = "step_history"
EDIT_TIERS = "edit_tiers"
EDIT_ROSTER = "edit_roster"
EDIT_SCHEDULE = "edit_schedule"
SETUP = "setup"
PREVIEW = "preview"
IMPORT = "import_roster"
START = "start_reads"
CHECK_CHANNEL = "check_channel"
EDIT_TIER = "edit_tier"
ADD_TIER = "add_tier"
TRY_TIER = "try_tier"
REMOVE_TIER = "remove_tier"
NEW_PARTNER = "new_partner"
NEW_PERSON = "new_person"
FIND_PARTNER = "find_partner"
FIND_CARD = "find_card"
LOOK = "look"
FIND_PERSON = "find_person"
EXPORT_ROSTER = "export_roster"
AUDIT = "audit"
AUDIT_PAGE = "audit_page"
AUDIT_EXPORT = "audit_export"
CONNECT = "connect_mailbox"
CONNECT_GOOGLE = "connect_google"
CONNECT_MICROSOFT = "connect_microsoft"
DISCONNECT = "disconnect_mailbox"
MY_SETTINGS = "my_settings"
MUTE = "mute_partner"
OPEN_CARD = "open_card"
WHY = "why"
WALK_SKIP = "walk_skip"
WALK_BACK = "walk_back"
WALK_PAUSE = "walk_pause"
FILTER_TIER = "filter_tier"
FILTER_OWNER = "filter_owner"

ACTIONS = (
    MY_SETTINGS,
    MUTE,
    ACCEPT,
    DECLINE,
    ASSIGN_ONE,
    TAKE_BACK,
    CHOSEN,
    STEP_DONE,
    STEP_HISTORY,
    CLAIM,
    RELEASE,
    NEXT_STEP,
    ROW_MENU,
    SEE_ALL,
    TURN_PAGE,
    ASSIGN,
    POST_AGAIN,
    IT_ARRIVED,
    SNOOZE,
    NUDGES_OFF,
    NUDGES_ON,
    ADD_PARTNER,
    PAUSE,
    RESUME,
    FILTER_TIER,
    FILTER_OWNER,
    WALK,
    WALK_SKIP,
    WALK_BACK,
    WALK_PAUSE,
    OPEN_CARD,
    WHY,
    SETUP,
    START,
    PREVIEW,
    CHECK_CHANNEL,
    EDIT_SCHEDULE,
    EDIT_TIERS,
    EDIT_TIER,
    ADD_TIER,
    TRY_TIER,
    REMOVE_TIER,
    EDIT_ROSTER,
    NEW_PARTNER,
    NEW_PERSON,
    FIND_PARTNER,
    FIND_CARD,
    LOOK,
    FIND_PERSON,
    IMPORT,
    EXPORT_ROSTER,
    AUDIT,
    AUDIT_PAGE,
    AUDIT_EXPORT,
    CONNECT,
    CONNECT_GOOGLE,
    CONNECT_MICROSOFT,
    DISCONNECT,
)

# Modals.
NEXT_STEP_FORM = "next_step_form"
LIST_MODAL = "list_modal"
NOTE_MODAL = "note_modal"
CARD_MODAL = "card_modal"
PAUSE_FORM = "pause_form"
ASSIGN_FORM = "assign_form"
MY_SETTINGS_FORM = "my_settings_form"
WALK_FORM = "walk_form"
WALK_PAUSE_FORM = "walk_pause_form"
PARTNER_FORM = "partner_form"
AUDIT_MODAL = "audit_modal"
TIERS_MODAL = "tiers_modal"
ROSTER_MODAL = "roster_modal"
SCHEDULE_FORM = "schedule_form"
TIER_FORM = "tier_form"
EDIT_PARTNER_FORM = "edit_partner_form"
PERSON_FORM = "person_form"
IMPORT_FORM = "import_form"
FORMS = (
    NEXT_STEP_FORM,
    MY_SETTINGS_FORM,
    ASSIGN_FORM,
    PARTNER_FORM,
    PAUSE_FORM,
    WALK_FORM,
    WALK_PAUSE_FORM,
    SCHEDULE_FORM,
    TIER_FORM,
    EDIT_PARTNER_FORM,
    PERSON_FORM,
    IMPORT_FORM,
)

# Inputs of the next-step form: block and element share the name.
STEP_TEXT = "step_text"
STEP_DUE = "step_due"
STEP_OWNER = "step_owner"

# Input of the form with which a lead assigns a recovery touch.
ASSIGNEE = "assignee"

# Inputs of my settings.
MY_HOURS_FROM = "my_hours_from"
MY_HOURS_TO = "my_hours_to"
MY_ZONE = "my_zone"
MY_COUNTRY = "my_country"
MY_NUDGES = "my_nudges"
MY_SNOOZE = "my_snooze"
MY_AWAY = "my_away"
MY_STAND_IN = "my_stand_in"
MY_MUTED = "my_muted"

# Inputs of the pause form, and of the walk, whose block ids end in the id of the partner.
PAUSE_UNTIL = "pause_until"
PAUSE_REASON = "pause_reason"
WALK_STEP = "walk_step"
WALK_DUE = "walk_due"
WALK_FOR = "walk_for"

# Inputs of the form for a new partner.
PARTNER_NAME = "partner_name"
PARTNER_TIER = "partner_tier"
PARTNER_OWNER = "partner_owner"
PARTNER_DOMAIN = "partner_domain"

# Inputs of the schedule.
SCHEDULE_CHANNEL = "schedule_channel"
SCHEDULE_DAY = "schedule_day"
SCHEDULE_HOUR = "schedule_hour"
SCHEDULE_ZONE = "schedule_zone"
SCHEDULE_EMPTY = "schedule_empty"
SCHEDULE_LEADERS = "schedule_leaders"

# Inputs of a tier, of a partner beyond those above, of a person, and of an import.
TIER_NAME = "tier_name"
TIER_WINDOW = "tier_window"
TIER_GRACE = "tier_grace"
PARTNER_CONTACTS = "partner_contacts"
PARTNER_STATUS = "partner_status"
PERSON_USER = "person_user"
PERSON_EMAIL = "person_email"
PERSON_NAME = "person_name"
PERSON_ROLE = "person_role"
PERSON_ALIASES = "person_aliases"
PERSON_LEFT = "person_left"
IMPORT_KIND = "import_kind"
IMPORT_LINES = "import_lines"
IMPORT_FILE = "import_file"

# Selects that fetch their options from us.
MENUS = (
    STEP_OWNER,
    MY_ZONE,
    MY_COUNTRY,
    MY_STAND_IN,
    ASSIGNEE,
    PARTNER_OWNER,
    WALK_FOR,
    FILTER_OWNER,
    SCHEDULE_ZONE,
    FIND_PARTNER,
    FIND_CARD,
    FIND_PERSON,
)

COMMAND = "/cadence"
EVENTS = ("app_home_opened", "app_uninstalled", "channel_id_changed", "tokens_revoked")

ROW_BLOCK = "p"  # p:123:r7: partner and revision, because an update needs new block ids


class OldButton(Exception):
    """The value is not ours, was tampered with, or comes from a version that meant something else."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a button, a menu option or a modal carries."""

    verb: str | None = None  # which option of a menu
    partner: int | None = None
    read: int | None = None
    post: int | None = None
    days: int | None = None
    page: int | None = None
    tier: int | None = None  # a rank
    owner: int | None = None
    channel: str | None = None
    domain: str | None = None  # the id of an organisation that is nobody's partner yet
    file: str | None = None  # uploaded to Slack
    digest: str | None = None  # of what was tried and may now be done
    step: int | None = None  # the next step that was shown: there may be a newer one
    text: str | None = None  # what somebody typed behind a partner's name

    def need_partner(self) -> int:
        return _needed(self.partner)

    def need_read(self) -> int:
        return _needed(self.read)

    def need_post(self) -> int:
        return _needed(self.post)


_KEYS = {
    "verb": "a",
    "partner": "p",
    "read": "r",
    "post": "o",
    "days": "d",
    "page": "g",
    "tier": "t",
    "owner": "w",
    "channel": "c",
    "domain": "h",
    "file": "f",
    "digest": "i",
    "step": "s",
    "text": "x",
}
_WORDS = {
    "verb": r"[A-Za-z0-9_]{1,40}",
    "channel": r"[A-Za-z0-9_]{1,40}",
    "domain": r"[a-z0-9._-]{1,253}",
    "file": r"[A-Za-z0-9_]{1,40}",
    "digest": r"[0-9a-f]{1,40}",
    "text": r"(?s:.{1,2000})",
}
LARGEST = 2**31 - 1


def encode(carried: Carried) -> str:
    """The value of a button: without a domain or a text at most 150 characters, so that it fits an option too."""
    pairs = {key: getattr(carried, name) for name, key in _KEYS.items()}
    given = {key: value for key, value in pairs.items() if value is not None}
    return json.dumps({"v": VERSION, **given}, ensure_ascii=carried.text is None)


def decode(value: object) -> Carried:
    """What the value carries; raises OldButton on anything that `encode` does not write today."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError as error:
        raise OldButton("the value is no JSON") from error
    if not isinstance(found, Mapping) or found.get("v") != VERSION or isinstance(found.get("v"), bool):
        raise OldButton("the value has another version")
    known = {key: name for name, key in _KEYS.items()}
    fields: dict[str, int | str] = {}
    for key, one in found.items():
        if key == "v":
            continue
        if key not in known or not _plausible(known[key], one):
            raise OldButton("the value carries something else")
        fields[known[key]] = one
    return Carried(**fields)  # type: ignore[arg-type]  # each field's type was checked above


def row(action: str, partner_id: int) -> str:
    """An action id that is unique in a list of partners."""
    return f"{action}:{partner_id}"


def row_block(partner_id: int, revision: int) -> str:
    return f"{ROW_BLOCK}:{partner_id}:r{revision}"


def matches(action: str) -> re.Pattern[str]:
    """Matches the action alone and with any row's suffix."""
    return re.compile(rf"^{re.escape(action)}(:\d+)?$")


def _plausible(name: str, value: object) -> bool:
    if name in _WORDS:
        return isinstance(value, str) and re.fullmatch(_WORDS[name], value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _needed(value: int | None) -> int:
    if value is None:
        raise OldButton("the value lacks an id")
    return value
