"""The story in a real browser, as a visitor plays it: `make demo`, the page, a claim, a mail, the recovery."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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
expect.set_options(timeout=PATIENCE)
ARBOR = "Claim recovery touch for Arbor Software"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install Debian's package `chromium`"),
    pytest.mark.timeout(180),
]


@dataclass
class Demo:
    url: str
    printed: str
    browser: Browser

    def page(self, who: str, *, width: int = 1280, height: int = 900) -> Page:
        page = self.browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.goto(re.sub(r"as=\w+", f"as={who}", self.url))
        expect(page.locator(".message, .home, .empty").first).to_be_visible()
        return page


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the whole story; the tests below are its chapters, in order."""
    command = [sys.executable, "-m", "tests.sandbox.demo", "--folder", str(tmp_path_factory.mktemp("demo"))]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        printed, url = [], None
        for line in process.stdout:
            printed.append(line)
            url = re.search(r"http://\S+", line)
            if url:
                break
        assert url, "".join(printed)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield Demo(url[0], "".join(printed), browser)
            browser.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_terminal_shows_the_read_and_the_address(demo: Demo) -> None:
    assert "11 partners need a touch" in demo.printed
    assert "Tier 1: 19 of 30 covered, 63 %" in demo.printed


def test_monday_read_stands_in_the_channel_with_a_button_for_each_quiet_partner(demo: Demo) -> None:
    page = demo.page("U0DANA")
    expect(page.get_by_role("heading", name="Weekly read, Mon 8 Jun 2026")).to_be_visible()
    expect(page.get_by_role("button", name="Claim recovery touch for")).to_have_count(11)


def test_a_claim_a_mail_and_the_read_closes_itself_without_reloading(demo: Demo) -> None:
    page = demo.page("U0DANA")
    composer = page.get_by_label("Message, or a command that begins with a slash")
    composer.fill("half a thought")
    page.get_by_role("button", name=ARBOR).click()
    expect(page.get_by_text("✓ Dana Kim is on it")).to_be_visible()
    expect(page.get_by_text("Arbor Software is yours, by Wed 10 Jun")).to_be_visible()
    page.get_by_label("To", exact=True).fill("Arbor Software")
    page.get_by_role("button", name="Send the mail").click()
    expect(page.get_by_text(re.compile("recovered", re.I)).first).to_be_visible()
    expect(page.get_by_role("button", name=ARBOR)).to_have_count(0)
    expect(composer).to_have_value("half a thought")
    expect(page.locator(".steps .done")).to_have_count(4)


def test_an_empty_next_step_is_refused_at_its_field_and_a_good_one_is_kept(demo: Demo) -> None:
    page = demo.page("U0DANA")
    page.get_by_role("button", name="Claim recovery touch for Birch Systems").click()
    expect(page.get_by_text("Birch Systems is yours")).to_be_visible()
    page.get_by_role("button", name="Add next step").last.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    field = dialog.get_by_role("textbox", name="Next step")
    expect(field).to_be_focused()
    expect(dialog.locator(".error")).to_be_visible()
    field.fill("Send <b>the</b> *price list* & say <!channel>")
    dialog.get_by_label("Until when").fill("2026-06-12")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    row = page.locator(".section", has_text="Birch Systems").first
    expect(row).to_contain_text("Send <b>the</b>")
    expect(row).to_contain_text("<!channel>")
    expect(row.locator("b, .loud")).to_have_count(0)


def test_everything_can_be_done_by_keyboard(demo: Demo) -> None:
    page = demo.page("U0PRIYA")
    composer = page.get_by_label("Message, or a command that begins with a slash")
    composer.focus()
    page.keyboard.type("/cad")
    expect(page.get_by_role("listbox", name="Commands")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("why Delta")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Only visible to you").first).to_be_visible()
    expect(page.get_by_text("The last touch").first).to_be_visible()
    claim = page.get_by_role("button", name="Claim recovery touch for Delta Logistics")
    claim.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("✓ Priya Nair is on it")).to_be_visible()
    expect(page.get_by_text("Delta Logistics is yours")).to_be_visible()
    page.get_by_role("button", name="Add next step").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_mistyped_command_gets_the_nearest_one(demo: Demo) -> None:
    page = demo.page("U0ROBIN")
    composer = page.get_by_label("Message, or a command that begins with a slash")
    composer.fill("/cadence overdoo")
    composer.press("Enter")
    expect(page.get_by_text("/cadence overdue").first).to_be_visible()


def test_it_reads_well_on_a_phone(demo: Demo) -> None:
    page = demo.page("U0TOMAS", width=390, height=844)
    expect(page.get_by_role("button", name="Claim recovery touch for").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Channels and people").click()
    page.get_by_role("button", name="Cadence · Home").click()
    expect(page.get_by_role("heading", name="Overdue")).to_be_visible()
    page.get_by_role("button", name="Story").click()
    expect(page.get_by_role("heading", name="The story")).to_be_visible()


def test_the_next_day_brings_a_private_nudge_and_the_next_monday_another_read(demo: Demo) -> None:
    page = demo.page("U0TOMAS")
    page.get_by_role("button", name="Next day").click()
    page.get_by_role("navigation").get_by_role("button", name=re.compile("^C?Cadence( |$|.*unread)")).first.click()
    expect(page.get_by_text("Hello Tomás Silva").first).to_be_visible()
    page.get_by_role("button", name="Next Monday").click()
    page.get_by_role("navigation").get_by_role("button", name=re.compile("partner-weekly")).click()
    expect(page.get_by_role("heading", name="Weekly read, Mon 15 Jun 2026")).to_be_visible()
    expect(page.get_by_text("(down").first).to_be_visible()  # nobody wrote all week, and the read says so
    expect(page.get_by_text("Arbor Software is back in rhythm").first).to_be_visible()
