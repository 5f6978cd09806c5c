"""`cadence backup`: the database as one file, while everything runs on."""

from pathlib import Path

import click

from bot.cli.common import Desk, Failure, note, pass_desk
from bot.cli.show import say
from models.backup import BackupError, copy_sqlite
from models.schema import dump_url


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_desk
def backup(desk: Desk, file: Path) -> None:
    """Copy a SQLite database into a new FILE, while everything runs on. PostgreSQL: pg_dump."""
    engine = desk.engine
    if engine.dialect.name != "sqlite":
        where = dump_url(desk.settings.database_url)
        raise Failure(f"PostgreSQL has its own program: pg_dump --format=custom --file {file} '{where}'")
    try:
        size = copy_sqlite(Path(engine.url.database or ""), file)
    except BackupError as error:
        raise Failure(str(error)) from error
    say(f"{file}: {size / 1_000_000:,.1f} MB")
    if desk.settings.secret_keys:
        note("Keep CADENCE_SECRET_KEYS too, and elsewhere: without them the tokens in it stay sealed.")
