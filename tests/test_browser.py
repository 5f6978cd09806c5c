"""The story in a real browser: from the first run over Monday's read to the next Monday, on one server, in one order.

With `SHOTS` set to a folder, each chapter leaves its pictures there: light and dark, wide and as on a phone.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.databases import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000
LOOKS = (("wide", 1280, 900), ("phone", 390, 844))
expect.set_options(timeout=PATIENCE)
CLAIM = "Claim recovery touch for"
ARBOR, CARDINAL, BIRCH = f"{CLAIM} Arbor Software", f"{CLAIM} Cardinal Health", f"{CLAIM} Birch Systems"
BOX = "Message, or a command that begins with a slash"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install Debian's package `chromium`"),
    pytest.mark.timeout(180),
]


@dataclass
class Demo:
    page_url: str
    printed: str
    folder: Path
    browser: Browser
    shots: Path | None

    def page(self, who: str, where: str = "", *, width: int = 1280, height: int = 900) -> Page:
        page = self.browser.new_page(viewport={"width": width, "height": height}, locale="en-GB")
        page.set_default_timeout(PATIENCE)
        page.goto(f"{self.page_url}?as={who}#{where}")
        expect(page.locator(".message, .home, .empty").first).to_be_visible()
        return page

    def picture(self, page: Page, name: str, shown: Locator | None = None) -> None:
        """The page as it is now, in every look, if anybody wants pictures."""
        if self.shots is None:
            return
        for look, width, height in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
                if shown:
                    shown.evaluate("node => node.scrollIntoView({ block: 'center' })")
                page.screenshot(path=self.shots / f"{name}-{look}-{scheme}.png")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the whole story; the tests below are its chapters, in order."""
    folder = tmp_path_factory.mktemp("demo")
    shots = Path(os.environ["SHOTS"]).absolute() if os.environ.get("SHOTS") else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.sandbox.demo", "--first-run", "--folder", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C" in line:
                break
        url = re.search(r"http://[^?\s]+", "".join(printed))
        assert url, "".join(printed)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield Demo(url[0], "".join(printed), folder, browser, shots)
            browser.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def _no_page_stays_open(demo: Demo) -> Iterator[None]:
    yield
    for context in demo.browser.contexts:
        context.close()


def ask(page: Page, command: str) -> None:
    box = page.get_by_label(BOX)
    box.fill(f"/cadence {command}")
    box.press("Enter")


def whisper(page: Page, words: str | re.Pattern[str]) -> Locator:
    """The newest answer that only this person sees."""
    found = page.locator(".message.ephemeral", has_text=words).last
    expect(found).to_be_visible()
    return found


def direct_messages(page: Page) -> Page:
    page.get_by_role("navigation").get_by_role("button", name=re.compile("^C?Cadence( |$|.*unread)")).first.click()
    return page


def test_the_first_run_asks_for_the_channel_and_tries_it(demo: Demo) -> None:
    page = direct_messages(demo.page("U0ROBIN"))
    expect(page.get_by_role("heading", name="Set Cadence up")).to_be_visible()
    demo.picture(page, "01-first-run")
    page.get_by_role("button", name="Choose: channel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Channel", exact=True).select_option(label="#partner-weekly")
    zone = dialog.get_by_label("Time zone")
    zone.fill("")
    zone.press_sequentially("lond")
    dialog.get_by_role("option", name="London").first.click()
    demo.picture(page, "02-schedule")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("The read goes to #partner-weekly")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("✓ Channel")).to_be_visible()
    page.get_by_role("button", name="partner-weekly").click()
    whisper(page, "I can post here")
    expect(page.locator(".message:not(.ephemeral)")).to_have_count(0)  # nothing public before the start


@pytest.mark.parametrize(("kind", "opener", "told"), [("people", "Import people", "4 people: 3 added"),
                                                      ("partners", "", "90 partners: 90 added")])  # fmt: skip
def test_a_roster_is_uploaded_checked_and_only_then_written(demo: Demo, kind: str, opener: str, told: str) -> None:
    page = direct_messages(demo.page("U0ROBIN"))
    with page.expect_download() as got:
        page.get_by_role("link", name=f"{kind}.csv").click()
    got.value.save_as(demo.folder / "downloaded" / f"{kind}.csv")
    page.get_by_role("button", name=f"Add {kind}").click()
    if opener:
        page.get_by_role("dialog").get_by_role("button", name=opener).click()
    dialog = page.get_by_role("dialog", name="Import")
    dialog.get_by_label("Or a CSV file").set_input_files(demo.folder / "downloaded" / f"{kind}.csv")
    expect(dialog.get_by_role("button", name=f"Remove {kind}.csv")).to_be_visible()
    dialog.get_by_role("button", name="Check").click()
    expect(dialog).to_contain_text("Nothing is written yet")
    demo.picture(page, f"03-import-{kind}")
    dialog.get_by_role("button", name="Import them").click()
    expect(dialog).to_contain_text(f"✓ {told}")
    page.keyboard.press("Escape")
    expect(page.get_by_text(f"✓ {kind.capitalize()}")).to_be_visible()


def test_the_lead_sees_a_preview_and_starts_it(demo: Demo) -> None:
    page = direct_messages(demo.page("U0ROBIN"))
    page.get_by_role("button", name="Connect the mailboxes").click()
    expect(page.get_by_text("Three mailboxes are connected")).to_be_visible(timeout=2 * PATIENCE)
    page.get_by_role("button", name="Preview: preview").click()
    preview = whisper(page, "This is how the read would look now")
    expect(preview).to_contain_text("11 partners need a touch")
    demo.picture(page, "04-preview")
    page.get_by_role("button", name="Start the weekly read").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Start").click()
    whisper(page, "The weekly read is posted")


def test_monday_read_stands_in_the_channel_with_a_button_for_each_quiet_partner(demo: Demo) -> None:
    page = demo.page("U0ROBIN")
    page.get_by_role("button", name="Next Monday").click()
    expect(page.get_by_role("heading", name="Weekly read, Mon 8 Jun 2026")).to_be_visible()
    expect(page.get_by_text("Tier 1: 19 of 30 covered, 63 %")).to_be_visible()
    expect(page.get_by_role("button", name=CLAIM)).to_have_count(11)
    expect(page.get_by_role("button", name="This afternoon")).to_be_visible()
    demo.picture(page, "05-read")
    page.get_by_role("button", name="See the whole read").click()
    expect(page.get_by_role("dialog").get_by_role("button", name=CLAIM)).to_have_count(11)
    demo.picture(page, "06-all")


def test_two_people_claim_at_once_and_one_of_them_has_it(demo: Demo) -> None:
    pages = [demo.page("U0DANA"), demo.page("U0PRIYA")]
    for page in pages:
        page.evaluate("label => document.querySelector(`[aria-label='${label}']`).click()", CARDINAL)
    taken = pages[0].get_by_text(re.compile("✓ (Dana Kim|Priya Nair) is on it"))
    expect(taken).to_be_visible()
    winner = taken.inner_text().split("✓ ")[1].split(" is on")[0]
    first, second = pages if winner == "Dana Kim" else reversed(pages)
    whisper(first, "Cardinal Health is yours")
    told = whisper(second, f"{winner} picked up Cardinal Health a moment ago")
    for page in pages:
        expect(page.get_by_role("button", name=CARDINAL)).to_have_count(0)
    demo.picture(second, "07-claimed-by-another", told)


def test_a_claim_a_mail_and_the_read_closes_itself_without_reloading(demo: Demo) -> None:
    page = demo.page("U0DANA")
    composer = page.get_by_label(BOX)
    composer.fill("half a thought")
    page.get_by_role("button", name=ARBOR).click()
    whisper(page, "Arbor Software is yours, by Wed 10 Jun")
    page.get_by_label("To", exact=True).fill("Arbor Software")
    page.get_by_role("button", name="Send the mail").click()
    expect(page.get_by_text(re.compile("recovered", re.I)).first).to_be_visible()
    expect(page.get_by_role("button", name=ARBOR)).to_have_count(0)
    expect(composer).to_have_value("half a thought")
    demo.picture(page, "08-recovered", page.get_by_text(re.compile("Recovered by")).first)


def test_an_empty_next_step_is_refused_at_its_field_and_a_good_one_is_kept(demo: Demo) -> None:
    page = demo.page("U0DANA")
    page.get_by_role("button", name=BIRCH).click()
    whisper(page, "Birch Systems is yours").get_by_role("button", name="Add next step").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    field = dialog.get_by_role("textbox", name="Next step")
    expect(field).to_be_focused()
    expect(dialog.locator(".error")).to_be_visible()
    field.fill("Send <b>the</b> *price list* & say <!channel>")
    dialog.get_by_label("Until when").fill("2026-06-12")
    demo.picture(page, "09-next-step")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    row = page.locator(".message:not(.ephemeral) .section", has_text="Birch Systems").first
    expect(row).to_contain_text("Send <b>the</b>")
    expect(row).to_contain_text("<!channel>")
    expect(row.locator("b, .loud")).to_have_count(0)


def test_everything_can_be_done_by_keyboard(demo: Demo) -> None:
    page = demo.page("U0PRIYA")
    page.get_by_label(BOX).focus()
    page.keyboard.type("/cad")
    expect(page.get_by_role("listbox", name="Commands")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("why Delta")
    page.keyboard.press("Enter")
    whisper(page, "The last touch")
    claim = page.get_by_role("button", name=f"{CLAIM} Delta Logistics")
    claim.focus()
    page.keyboard.press("Enter")
    whisper(page, "Delta Logistics is yours").get_by_role("button", name="Add next step").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_mistyped_command_gets_the_nearest_one(demo: Demo) -> None:
    page = demo.page("U0ROBIN")
    ask(page, "overdoo")
    whisper(page, "/cadence overdue")
    ask(page, "partner Delta")
    demo.picture(page, "10-partner-card", whisper(page, "Mail of the last"))


def test_the_lead_walks_the_read_partner_by_partner(demo: Demo) -> None:
    page = demo.page("U0ROBIN")
    page.get_by_role("button", name="Walk the read").click()
    dialog = page.get_by_role("dialog", name="Walk the read")
    position = dialog.get_by_text(re.compile(r"Partner \d+ of \d+"))
    expect(position).to_be_visible()
    demo.picture(page, "11-walk")
    first = position.inner_text()
    dialog.get_by_role("button", name="Skip").click()
    expect(dialog.get_by_text(first)).to_have_count(0)
    name = dialog.locator(".section strong").first.inner_text()
    dialog.get_by_label("Next step").fill("Agree on a date for the review")
    dialog.get_by_label("Until when").fill("2026-06-11")
    chosen = dialog.get_by_label("Claim for")
    if chosen.evaluate("node => node.localName") == "select":
        chosen.select_option(label="Tomás Silva")
    else:
        chosen.fill("")
        chosen.press_sequentially("tom")
        dialog.get_by_role("option", name="Tomás Silva").first.click()
    second = position.inner_text()
    dialog.get_by_role("button", name="Save and next").click()
    expect(dialog.get_by_text(second)).to_have_count(0)
    dialog.get_by_role("button", name="Stop here").click()
    expect(dialog).to_have_count(0)
    row = page.locator(".message:not(.ephemeral) .section", has_text=name).first
    expect(row).to_contain_text("Tomás Silva")
    expect(row).to_contain_text("Agree on a date for the review")


def test_a_partner_is_paused_with_a_reason_and_an_end(demo: Demo) -> None:
    page = demo.page("U0ROBIN")
    ask(page, "pause Everest Studios")
    dialog = page.get_by_role("dialog", name="Pause")
    dialog.get_by_label("Last day").fill("2026-06-30")
    dialog.get_by_label("Reason").fill("The contract is being renewed")
    demo.picture(page, "12-pause")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Everest Studios is paused until").first).to_be_visible()
    expect(page.get_by_role("button", name=f"{CLAIM} Everest Studios")).to_have_count(0)


def test_home_shows_each_person_their_own(demo: Demo) -> None:
    page = demo.page("U0ROBIN", "home")
    expect(page.get_by_role("heading", name="Coverage")).to_be_visible()
    demo.picture(page, "13-home-of-the-lead")
    page.get_by_role("button", name="View as: Robin Okafor").click()
    page.get_by_role("menuitemradio", name="Dana Kim").click()
    expect(page.get_by_role("button", name="View as: Dana Kim")).to_be_visible()
    page.get_by_role("button", name="Cadence · Home").click()
    expect(page.locator(".home")).to_contain_text("Birch Systems")
    demo.picture(page, "14-home-of-a-manager")


def test_it_reads_well_on_a_phone(demo: Demo) -> None:
    page = demo.page("U0TOMAS", width=390, height=844)
    expect(page.get_by_role("button", name=CLAIM).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Channels and people").click()
    page.get_by_role("button", name="Cadence · Home").click()
    expect(page.get_by_role("heading", name="Overdue", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Story").click()
    expect(page.get_by_role("heading", name="The story")).to_be_visible()


def test_the_next_day_brings_a_private_nudge_and_the_next_monday_another_read(demo: Demo) -> None:
    page = demo.page("U0TOMAS")
    page.get_by_role("button", name="Next day").click()
    direct_messages(page)
    expect(page.get_by_text("Hello Tomás Silva").first).to_be_visible()
    demo.picture(page, "15-nudge")
    page.get_by_role("button", name="Next Monday").click()
    page.get_by_role("navigation").get_by_role("button", name=re.compile("partner-weekly")).click()
    expect(page.get_by_role("heading", name="Weekly read, Mon 15 Jun 2026")).to_be_visible()
    expect(page.get_by_text("(down").first).to_be_visible()  # nobody wrote all week, and the read says so
    expect(page.get_by_text("Arbor Software is back in rhythm").first).to_be_visible()
    demo.picture(page, "16-next-monday", page.get_by_role("heading", name="Weekly read, Mon 15 Jun 2026"))
