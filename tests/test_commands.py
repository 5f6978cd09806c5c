"""`/cadence`: what people type, kindly taken, and answered to them alone."""

from collections.abc import Iterator

import pytest

from bot.listeners.commands import ALIASES, MEANT, NAMED, SHARED, TABLE
from bot.listeners.typed import literal, split
from tests.cast import ACME, CHANNEL, DANA, MONDAY, PRIYA, ROBIN, VERA, put_touch
from tests.databases import Database
from tests.sandbox.slack.workspace import Message
from tests.slack_lint import elements, lint_message, said
from tests.surface import FOREIGNER, STRANGER, Surface, surface


@pytest.fixture
def at(database: Database) -> Iterator[Surface]:
    with surface(database) as one:
        yield one


def shown(message: Message) -> str:
    lint_message({"text": message.text, "blocks": message.blocks})
    return said(message.blocks)


@pytest.mark.parametrize("text", ["", "help", "?", "HELP", '"help"'])
def test_help_lists_every_command(at: Surface, text: str) -> None:
    words = shown(at.ask(DANA, text))
    for command in ("overdue", "partner Acme", "why Acme", "mine"):
        assert f"`/cadence {command}`" in words


@pytest.mark.parametrize(
    ("text", "names", "others"),
    [
        ("overdue", ("Acme", "Initech", "Hooli"), ("Globex", "Tyrell")),
        ("overdue mine", ("Acme", "Soylent"), ("Initech",)),
        ("overdue tier 1", ("Acme", "Initech"), ("Hooli",)),
        ("overdue 2", ("Hooli",), ("Acme",)),
        ("overdue Tier 3", ("Soylent", "Stark Industries"), ("Acme",)),
        ("overdue @Tomás Silva", ("Initech",), ("Acme", "Hooli")),
        ("overdue priya", ("Hooli",), ("Acme",)),
        ("mine", ("Acme", "Soylent"), ("Initech",)),
        ("list", ("Acme",), ()),
    ],
)
def test_overdue_names_whom_it_was_asked_for(
    at: Surface, text: str, names: tuple[str, ...], others: tuple[str, ...]
) -> None:
    message = at.ask(DANA, text)
    words = shown(message)
    assert all(name in words and name in message.text for name in names)
    assert not any(name in words for name in others)


def test_mine_shows_what_i_have_claimed_of_others(at: Surface) -> None:
    at.ask(PRIYA, "claim Acme")
    words = shown(at.ask(PRIYA, "mine"))
    assert "Acme" in words
    assert "Hooli" in words
    assert "Initech" not in words


def test_a_viewer_sees_the_list_without_buttons(at: Surface) -> None:
    message = at.ask(VERA, "overdue")
    assert "Acme" in shown(message)
    assert not [one for one in elements(message.blocks) if one["action_id"].startswith("claim")]


def test_a_claim_can_be_taken_from_the_answer(at: Surface) -> None:
    message = at.ask(PRIYA, "overdue tier 1")
    assert "is yours" in at.press_and_hear(PRIYA, message, f"claim:{at.cast.partner(ACME)}").text


def test_a_tier_that_is_not_there_is_answered_with_those_that_are(at: Surface) -> None:
    assert "There is no tier 9; the tiers are 1, 2, 3." in at.ask(PRIYA, "overdue tier 9").text


def test_a_step_for_a_name_that_is_not_whole_echoes_the_name_alone(at: Surface) -> None:
    told = at.ask(PRIYA, "next Hoolie: send the deck by friday").text
    assert "There is no partner called “Hoolie”." in told
    assert "Hooli" in told.replace("Hoolie", "")


@pytest.mark.parametrize("text", ["overdue nobody", "overdue tier one hundred"])
def test_a_filter_that_means_nothing_is_answered_by_an_example(at: Surface, text: str) -> None:
    assert "Did you mean `/cadence overdue`" in shown(at.ask(DANA, text))


def test_nobody_of_the_roster_is_no_owner(at: Surface) -> None:
    assert "not on the roster" in shown(at.ask(DANA, "overdue @Sam Stranger"))


@pytest.mark.parametrize(
    "name",
    ["Müller & Söhne", "mueller soehne", "muller & sohne", "“Müller & Söhne”", "'Müller & Söhne'", "Mueler Söhne"],
)
def test_a_partner_is_found_however_its_name_is_typed(at: Surface, name: str) -> None:
    message = at.ask(DANA, f"partner {name}")
    assert "Müller &amp; Söhne" in shown(message)
    assert "mueller-soehne.example" in said(message.blocks)


def test_a_guessed_name_is_said_to_be_a_guess(at: Surface) -> None:
    assert "Taking “globx” for the nearest name" in shown(at.ask(DANA, "partner globx"))
    assert "Taking" not in shown(at.ask(DANA, "partner globex"))


def test_a_name_that_nobody_has_brings_the_nearest(at: Surface) -> None:
    words = shown(at.ask(DANA, "partner Zzyzx Quux"))
    assert "There is no partner called “Zzyzx Quux”" in words
    assert "The nearest:" in words


def test_a_web_address_that_slack_makes_of_a_name_is_taken_back() -> None:
    assert literal("<http://acme.example|acme.example>") == "acme.example"
    assert literal("Müller &amp; Söhne") == "Müller & Söhne"
    assert literal("“Acme”") == "Acme"
    assert split("  OVERDUE   tier  1 ") == ("overdue", "tier 1")


def test_the_card_tells_what_is_known(at: Surface) -> None:
    words = shown(at.ask(DANA, "partner Acme"))
    for part in (
        "owner Dana Kim",
        "16 days past its 7-day rhythm",
        "acme.example",
        "no next step",
        "Last touch: Sat 31 Oct: Dana Kim wrote to hello@acme.example (written by a person; ",
        "• Sat 31 Oct: Dana Kim wrote to hello@acme.example",
    ):
        assert part in words
    assert "Claim recovery touch" in words


def test_why_tells_which_mail_moved_the_clock_and_which_did_not(at: Surface) -> None:
    with at.database.sessions.begin() as session:
        put_touch(session, at.cast, ACME, MONDAY, by="wendy@acme.example", verdict="auto", rule="it answers by itself")
        put_touch(session, at.cast, ACME, MONDAY, by="wendy@acme.example")
    words = shown(at.ask(DANA, 'why "acme"'))
    assert "16 days overdue: last touch 23 days ago by Dana Kim; its 7-day rhythm runs from there" in words
    assert "Sat 31 Oct: Dana Kim wrote to hello@acme.example: written by a person; hello@acme.example belongs" in words
    assert "an automatic reply, no person wrote it (it answers by itself)" in words
    assert "the partner wrote it: that is heard and moves no clock" in words


@pytest.mark.parametrize("command", ["partner", "why", "claim", "release", "next"])
def test_a_missing_name_is_asked_for_with_an_example(at: Surface, command: str) -> None:
    assert f"Which partner? For example `/cadence {command} Acme`." in shown(at.ask(DANA, command))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("overdu", "overdue"),
        ("partnr Acme", "partner Acme"),
        ("wy", "why Acme"),
        ("assign Acme to Priya", "claim Acme"),
        ("mute Acme", "nudges"),
        ("done", "next Acme: send the revised terms by friday"),
    ],
)
def test_an_unknown_word_is_answered_by_the_nearest_command(at: Surface, typed: str, meant: str) -> None:
    assert f"Did you mean `/cadence {meant}`" in shown(at.ask(DANA, typed))


@pytest.mark.parametrize(
    "typed",
    ["mailbox connect", "settings now", "tiers 2", "walk Acme", "suggest more", "preview it", "setup x", "mine Acme"],
)
def test_words_behind_a_command_that_takes_none_are_said_not_to_be_understood(at: Surface, typed: str) -> None:
    command = typed.split()[0]
    assert f"I do not know “{typed}”. Did you mean `/cadence {command}`" in shown(at.ask(ROBIN, typed))
    assert not at.workspace.views.stacks.get("U0ROBIN")


def test_help_with_a_word_behind_it_is_about_that_command(at: Surface) -> None:
    assert shown(at.ask(DANA, "help tiers")).startswith("`/cadence tiers`: how often partners are to hear from us")
    assert shown(at.ask(DANA, "help vacation")).startswith("`/cadence nudges`: ")
    assert "I do not know “help florbl”" in shown(at.ask(DANA, "help florbl"))


def test_undo_says_how_each_thing_is_taken_back(at: Surface) -> None:
    words = shown(at.ask(DANA, "undo"))
    assert "• a claim: `/cadence release Acme`" in words
    assert "audit" not in words
    assert "• a pause: `/cadence resume Acme`" in shown(at.ask(ROBIN, "undo"))


def test_export_offers_the_files_to_a_lead_and_names_the_lead_to_others(at: Surface) -> None:
    told = at.ask(ROBIN, "export")
    assert "`cadence export`" in shown(told)
    assert [one["action_id"] for one in elements(told.blocks)] == ["export_roster", "audit"]
    at.press(ROBIN, told, "audit")
    assert "Send me all as CSV" in str(at.modal(ROBIN).content["blocks"])
    assert shown(at.ask(DANA, "export")) == "Only a programme lead can do this. Robin Okafor can help."


def test_what_was_typed_is_shown_as_it_was_typed(at: Surface) -> None:
    assert literal("<b>x</b>") == "<b>x</b>"
    assert literal("<mailto:wendy@acme.example|wendy@acme.example>") == "wendy@acme.example"
    assert literal("<@U0PRIYA|priya>") == "priya"
    assert "“&lt;b&gt;x&lt;/b&gt;”" in shown(at.ask(DANA, "partner <b>x</b>"))


def test_every_word_that_people_try_leads_to_a_command_and_is_none() -> None:
    tried = [word for words in MEANT.values() for word in words.split()]
    assert MEANT.keys() <= TABLE.keys()
    assert len(tried) == len(set(tried))
    assert not set(tried) & {*TABLE, *ALIASES}


def test_a_guess_is_good_enough_to_look_and_not_to_claim(at: Surface) -> None:
    assert "The nearest:\n*Initech* · Tier 1" in shown(at.ask(DANA, "claim initec"))
    assert "is yours" in shown(at.ask(DANA, "claim initech"))


def test_nudges_are_switched_by_command(at: Surface) -> None:
    assert "Nudges are off" in shown(at.ask(DANA, "nudges off"))
    assert "Nudges are on" in shown(at.ask(DANA, "nudges on"))


@pytest.mark.parametrize("who", [STRANGER, FOREIGNER])
def test_strangers_get_help_and_no_names_of_partners(at: Surface, who: str) -> None:
    for text in ("overdue", "partner Acme", "why Acme", "mine", "claim Acme", "next Acme"):
        words = shown(at.ask(who, text))
        assert "Robin Okafor can help." in words
        assert "Dana" not in words
        assert "7-day" not in words


def test_what_somebody_typed_is_repeated_literally(at: Surface) -> None:
    message = at.ask(DANA, "<!channel> *now* &amp;")
    assert message.mentions == set()
    shown(message)


@pytest.mark.parametrize("text", ["overdue share", "overdue mine share", "partner Acme share", "why acme SHARE"])
def test_share_says_it_to_the_channel_and_only_then(at: Surface, text: str) -> None:
    before = len(at.workspace.messages(CHANNEL))
    at.slack.interactions.message(DANA.slack_user_id or "", CHANNEL, f"/cadence {text}")
    assert at.workspace.wait_until(lambda: len(at.workspace.messages(CHANNEL)) > before)
    message = at.workspace.messages(CHANNEL)[-1]
    assert message.visible_to is None
    assert "Acme" in shown(message)


@pytest.mark.parametrize("whom", ["<@U0DANA>", "Dana Kim", "dana"])
def test_32_nobody_shows_one_colleagues_overdue_partners_to_the_channel(at: Surface, whom: str) -> None:
    before = [one for one in at.workspace.messages(CHANNEL) if one.visible_to is None]
    assert "nobody's show" in at.ask(PRIYA, f"overdue {whom} share").text
    assert [one for one in at.workspace.messages(CHANNEL) if one.visible_to is None] == before
    assert "Acme" in at.ask(PRIYA, f"overdue {whom}").text


@pytest.mark.parametrize("word", [one for one in SHARED if one not in (*NAMED, "overdue")])
def test_32_what_can_be_shared_knows_no_other_person(at: Surface, word: str) -> None:
    assert "I do not know" in at.ask(PRIYA, f"{word} <@U0DANA> share").text


@pytest.mark.parametrize("text", ["partner share share", "why Nobody at all share", "overdue whatever share"])
def test_what_was_not_understood_is_no_news_for_the_channel(at: Surface, text: str) -> None:
    before = [one for one in at.workspace.messages(CHANNEL) if one.visible_to is None]
    at.ask(DANA, text)
    assert [one for one in at.workspace.messages(CHANNEL) if one.visible_to is None] == before


def test_a_partner_may_be_called_share(at: Surface) -> None:
    assert "“share”" in at.ask(DANA, "partner share").text


def test_nothing_is_shared_where_another_company_listens(at: Surface) -> None:
    at.workspace.channels[CHANNEL].is_ext_shared = True
    at.workspace.add_token(at.workspace.bot_token, "bot", (*at.workspace.bot_scopes, "channels:read"))
    assert "another company" in at.ask(DANA, "overdue share").text
