"""`python -m tests.sandbox.slack`: the stand-in workspace by itself, with three people and a channel, until Ctrl-C."""

import json
import threading
from pathlib import Path
from typing import Any

import click

from tests.sandbox.slack.server import SlackServer
from tests.sandbox.slack.workspace import Workspace


def read_manifest(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        loaded: dict[str, Any] = json.loads(text)
        return loaded
    import yaml  # only developers have it

    loaded = yaml.safe_load(text)
    return loaded


@click.command()
@click.option("--port", default=8765, show_default=True, help="Port of the page and the Web API.")
@click.option("--manifest", type=click.Path(exists=True, path_type=Path), help="The app's manifest (JSON or YAML).")
@click.option("--request-url", help="Where the app listens; without it the app connects by Socket Mode.")
def main(port: int, manifest: Path | None, request_url: str | None) -> None:
    workspace = Workspace("Sandbox", manifest=read_manifest(manifest) if manifest else None)
    people = [
        workspace.add_user("ana", "Ana Ruiz", "ana@sandbox.example", title="Partner manager"),
        workspace.add_user("ben", "Ben Okafor", "ben@sandbox.example", title="Partner manager"),
        workspace.add_user("cleo", "Cleo Martin", "cleo@sandbox.example", title="Programme lead"),
    ]
    members = [workspace.bot.id, *(person.id for person in people)]
    channel = workspace.add_channel("partners", members=members, topic="Our partners")
    for person in people:
        workspace.im(person.id)
    with SlackServer(workspace, port=port, request_url=request_url) as slack:
        click.echo(f"Page                 {slack.page_url}?user={people[0].id}")
        click.echo(f"SLACK_API_URL        {slack.api_url}")
        click.echo(f"SLACK_BOT_TOKEN      {workspace.bot_token}")
        click.echo(f"SLACK_APP_TOKEN      {workspace.app_token}")
        click.echo(f"SLACK_SIGNING_SECRET {workspace.signing_secret}")
        click.echo(f"Channel              {channel.id}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.")


if __name__ == "__main__":
    main()
