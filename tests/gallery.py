"""`python -m tests.gallery OUT`: every payload the product can send, drawn by the page, on sheets to look at.

One set of PNG files for each of light and dark, wide and phone. Judges nothing itself; the tests of payloads do.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Browser, Route, sync_playwright

from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace

Sample = tuple[str, Any]
LOOKS = {"wide": (760, 3), "phone": (390, 5)}
"""Width of a cell, and how many stand beside each other."""
ON_ONE_SHEET = 15
SHEET = """<!doctype html><title>Sheet</title><style>
body { margin: 12px; background: #8885; display: flex; align-items: flex-start; gap: 12px; }
.column { display: grid; gap: 12px; } iframe { width: %dpx; height: 400px; border: 0; background: Canvas; }
</style>"""
FILL = """async ([state, samples, columns]) => {
  window.gallery = { state, samples };
  const made = Array.from({ length: columns }, () => {
    const column = document.createElement("div");
    column.className = "column";
    document.body.append(column);
    return column;
  });
  for (const [index] of samples.entries()) {
    const frame = document.createElement("iframe");
    const least = made.reduce((one, other) => (other.offsetHeight < one.offsetHeight ? other : one));
    frame.src = `/static/sample.html#${index}`;
    least.append(frame);
    for (let waited = 0; frame.contentDocument.title !== "drawn"; waited += 1) {
      if (waited > 500) throw new Error(`${samples[index].name} cannot be drawn`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}"""


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def sheets(browser: Browser, samples: Sequence[Sample], out: Path, *, only: Sequence[str] = ()) -> Iterator[Path]:
    """Draws the sheets; answers each file as it is written. Raises when a payload cannot be drawn."""
    workspace = Workspace("Lantern")
    me = workspace.add_user("robin", "Robin Okafor", "robin@lantern.example", id="U0ROBIN", tz="Europe/London")
    workspace.add_user("dana", "Dana Kim", "dana@lantern.example", id="U0DANA")
    workspace.add_channel("partner-weekly", id="C0PARTNERS", members=[workspace.bot.id, me.id])
    out.mkdir(parents=True, exist_ok=True)
    with SlackServer(workspace) as slack:
        for look, (width, columns) in LOOKS.items():
            for scheme in ("light", "dark"):
                if only and f"{look}-{scheme}" not in only:
                    continue
                page = browser.new_page(viewport={"width": columns * (width + 12) + 24, "height": 900}, locale="en-GB")
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                state = page.request.get(f"{slack.page_url}ui/state", params={"user": me.id}).json()
                page.route("**/sheet", partial(_answer, SHEET % width))
                for number, start in enumerate(range(0, len(samples), ON_ONE_SHEET), start=1):
                    some = samples[start : start + ON_ONE_SHEET]
                    page.goto(f"{slack.page_url}sheet")
                    page.evaluate(FILL, [state, [{"name": name, "payload": one} for name, one in some], columns])
                    path = out / f"{look}-{scheme}-{number:02d}.png"
                    page.screenshot(path=path, full_page=True)
                    yield path
                page.close()


def _answer(body: str, route: Route) -> None:
    route.fulfill(body=body, content_type="text/html")


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--like", default="", help="Only samples whose name contains this.")
@click.option("--only", multiple=True, help="wide-light, wide-dark, phone-light or phone-dark.")
@click.option("--count", "counts", type=int, multiple=True, default=(1, 15), help="With so many partners each.")
@click.option("--hostile", is_flag=True, help="With the names that try to break a layout.")
def main(out: Path, like: str, only: tuple[str, ...], counts: tuple[int, ...], hostile: bool) -> None:
    """Writes the sheets into OUT."""
    told: Callable[..., Iterator[Sample]] = import_module("tests.payload_samples").samples
    names = import_module("tests.test_views").HOSTILE if hostile else ()
    samples = [(name, one) for name, one in told(counts, names) if like in name]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for path in sheets(browser, samples, out, only=only):
            click.echo(path)
        browser.close()
    click.echo(f"{len(samples)} payloads")


if __name__ == "__main__":
    main()
