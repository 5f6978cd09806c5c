"""A PostgreSQL that can be knocked down and comes back by itself, with all that it has confirmed."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from sqlalchemy.engine import URL

from tests.postgres_server import WITHIN_SECONDS, _copied, _hand_over, _private_folder, _programs

# As in tests/postgres_server.py, but it begins anew when it has ended, and a commit is in its log before it is told:
# the machine itself does not fail here, so nothing has to reach a disk.
WATCH = """
(
    while [ ! -e "$2/stop" ]; do
        if [ ! -e "$2/down" ]; then
            "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 -c timezone=Asia/Kathmandu \
                -c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
                -c shared_buffers=64MB -c max_wal_size=256MB >>"$2/log" 2>&1 </dev/null
        fi
        sleep 0.2
    done
) &
read -r line
touch "$2/stop"
kill -INT "$(head -n 1 "$2/data/postmaster.pid")" 2>/dev/null
wait
rm -rf "$2" "$3"
"""


class Postgres:
    """Running when the constructor returns. `close` it, or die: it goes too."""

    def __init__(self) -> None:
        self.folder, self._copies = _private_folder(in_memory=True), _private_folder()
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        programs = _programs()
        if account is not None:
            programs = _copied(programs, self._copies)
            for folder in (self.folder, self._copies):
                _hand_over(folder, account.pw_uid, account.pw_gid)
        who: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        subprocess.run(
            [
                *(programs / "initdb", "-D", self.folder / "data", "-U", "cadence", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
            cwd=self.folder,
            env={"PATH": os.defpath},
            **who,
        )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", programs, self.folder, self._copies],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={"PATH": os.defpath},
            start_new_session=True,
            **who,
        )
        self.wait()

    @property
    def url(self) -> str:
        url = URL.create("postgresql", username="cadence", database="postgres", query={"host": str(self.folder)})
        return url.render_as_string(hide_password=False)

    def wait(self) -> None:
        """Until it answers."""
        give_up_at = time.monotonic() + WITHIN_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at:
                    raise
            time.sleep(0.05)

    def knock_down(self) -> None:
        """It ends at once, in the middle of whatever it does, and stays away until `get_up`."""
        (self.folder / "down").touch()
        with suppress(OSError, ValueError):
            os.kill(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)

    def get_up(self) -> None:
        (self.folder / "down").unlink(missing_ok=True)

    def drop_connections(self, share: float) -> int:
        """Cuts so large a share of the product's connections; answers how many."""
        cut: LiteralString = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < %s"
        )
        with psycopg.connect(self.url, autocommit=True) as admin:
            return len(admin.execute(cut, [share]).fetchall())

    def keep_log(self, into: Path) -> None:
        with suppress(OSError):
            shutil.copyfile(self.folder / "log", into)

    def close(self) -> None:
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._watcher.wait(WITHIN_SECONDS)
        for folder in (self.folder, self._copies):
            shutil.rmtree(folder, ignore_errors=True)
