"""`make demo`: the story in a browser, or with --once in the terminal, checked against its own truth.

Leaves nothing outside the checkout; its files lie in `.demo/cadence` and are made anew each time.
"""

import signal
import sys
import threading
from pathlib import Path

import click

from tests.sandbox import once, panel, story
from tests.sandbox.stage import ROOT, Stage, Stuck


@click.command()
@click.option("--once", "only_once", is_flag=True, help="Play the story without a browser, check it, and exit.")
@click.option("--first-run", is_flag=True, help="Begin with the first run: an empty roster, and no channel yet.")
@click.option("--port", default=0, help="Port of the page; 0 takes a free one.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=ROOT / ".demo" / "cadence", help="Where its files lie."
)
def main(only_once: bool, first_run: bool, port: int, folder: Path) -> None:
    """The main job of Cadence against stand-ins for Slack and Gmail."""
    stages: list[Stage] = []
    stage = Stage(folder, port=port, first_run=first_run, blueprints=[panel.blueprint(lambda: stages[0])])
    stages.append(stage)
    click.echo("Setting up: ninety partners, eight weeks of mail, three mailboxes …", err=True)
    try:
        with stage:
            if only_once:
                once.play(stage, lambda line: click.echo(f"✓ {line}", err=True))
                click.echo(stage.cadence("read", "--as-of", story.READ_AT.isoformat()))
                click.echo("Everything came out as the story has it.", err=True)
            else:
                _show(stage)
    except (once.Differs, Stuck) as problem:
        click.echo(f"✗ {problem}", err=True)
        sys.exit(1)


def _show(stage: Stage) -> None:
    stage.start()
    if stage.first_run:
        steps = stage.workspace.im(story.ROBIN.slack_id)
        stage.wait_for("the message to whoever installed it", lambda: steps.messages)
        click.echo(
            f"Robin has a message with the steps at  {stage.slack.page_url}?as={story.ROBIN.slack_id}#{steps.id}"
        )
        click.echo(f"People and partners to upload: {stage.folder / 'people.csv'}, {stage.folder / 'partners.csv'}")
    else:
        stage.move_to(story.READ_AT)
        stage.wait_for("Monday's read in the channel", stage.reads)
        click.echo(stage.cadence("read"))
        click.echo(f"The workspace is open at  {stage.slack.page_url}?as={story.DANA.slack_id}#{stage.channel.id}")
        click.echo("View as Dana, claim a partner, send it a mail from the panel, and watch.")
        click.echo("View as Robin, who leads: Walk the read takes the slipped partners one by one.")
    click.echo("Ctrl-C ends it. `make demo ARGS=--first-run` begins with the first run instead.")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have started us with Ctrl-C ignored
        signal.signal(number, lambda *_: stopping.set())
    stopping.wait()
    click.echo("Stopped; nothing keeps running.", err=True)


if __name__ == "__main__":
    main()
