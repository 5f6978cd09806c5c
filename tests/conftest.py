"""What every test gets: a clean environment, and on request a database, once on SQLite and once on PostgreSQL.

Must not patch the product: tests choose addresses, clocks and databases, and hand them over.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from models.settings import Settings, setting_names
from tests.databases import ROOT, Database, Databases, PostgresDatabases, SqliteDatabases, opened
from tests.postgres_server import PostgresServer

SERVER = pytest.StashKey[PostgresServer]()
SCRATCH = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing of this machine leaks in: no settings, no `.env`, no home; nothing is left outside the checkout."""
    for name in setting_names():
        os.environ.pop(name, None)
    Settings.model_config["env_file"] = None
    # Its own picture of an exception takes seconds, and Slack's three are short enough on a busy machine.
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    os.environ["PYTHONPATH"] = str(ROOT)  # processes that a test starts elsewhere find the product, but no `.env`
    if hasattr(config, "workerinput"):
        return
    (ROOT / ".cache").mkdir(exist_ok=True)
    scratch = config.stash[SCRATCH] = Path(tempfile.mkdtemp(prefix="tests-", dir=ROOT / ".cache"))
    (scratch / "home").mkdir()
    os.environ["HOME"] = str(scratch / "home")
    if config.option.basetemp is None:
        config.option.basetemp = scratch / "tmp"


def pytest_unconfigure(config: pytest.Config) -> None:
    if server := config.stash.get(SERVER, None):
        server.close()
    if scratch := config.stash.get(SCRATCH, None):
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """With several workers (pytest-xdist), the process above them starts the one server that they share."""
    node.workerinput["postgres_url"] = _server_url(node.config)


def _server_url(config: pytest.Config) -> str:
    if url := os.environ.get("CADENCE_TEST_POSTGRES_URL"):
        return url
    if SERVER not in config.stash:
        config.stash[SERVER] = PostgresServer()
    return config.stash[SERVER].url


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """For tests that need many databases: `with opened(databases) as database`."""
    made: Databases
    if request.param == "sqlite":
        made = SqliteDatabases(tmp_path_factory.mktemp("databases"))
    else:
        workerinput = getattr(request.config, "workerinput", None)
        made = PostgresDatabases(workerinput["postgres_url"] if workerinput else _server_url(request.config))
    yield made
    made.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """One new, migrated, empty database."""
    with opened(databases) as one:
        yield one


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half of the time a test waits for somebody: a server, a browser, the ten milliseconds of Bolt."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2
