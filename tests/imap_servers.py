"""Real IMAP servers for the tests: Dovecot where its programs are installed, and mail-devel from its Python package.

They leave nothing behind, neither a process nor a file, however the tests end.
"""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from imapclient import IMAPClient

PASSWORD = "secret"
WITHIN_SECONDS = 30.0
BODY = "the body that nobody may ask for"

# Reads from a pipe whose writer are the tests: when they are gone, so are the server and its folder.
WATCH = """
folder="$1"; shift
"$@" >"$folder/out" 2>&1 </dev/null &
read -r line
kill -TERM $!
wait $!
rm -rf "$folder"
"""

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/certificate.pem
ssl_dh =
disable_plaintext_auth = no
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
default_client_limit = 200
mail_location = maildir:{folder}/mail/%u
rawlog_dir = {folder}/rawlog
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Verschickt {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
"""


class RealServer:
    """Takes any user with the one password; each test has a user of its own. `sent` is its folder of sent mail."""

    sent: str

    def __init__(self, folder: Path, command: list[str], port: int, user: int | None = None) -> None:
        self.folder, self.port = folder, port
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", folder, *command],
            stdin=subprocess.PIPE,
            cwd=folder,
            env={"PATH": os.pathsep.join((os.defpath, "/usr/sbin", "/sbin"))},
            user=user,
            group=None if user is None else pwd.getpwuid(user).pw_gid,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
        give_up_at = time.monotonic() + WITHIN_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError as error:
                if time.monotonic() > give_up_at or self._watcher.poll() is not None:
                    said = "".join(path.read_text(errors="replace") for path in folder.glob("[ol]*") if path.is_file())
                    self.close()
                    raise RuntimeError(f"the IMAP server did not start: {said}") from error
                time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._watcher.wait(WITHIN_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, user: str) -> Any:
        """For what the tests do to a mailbox; use it in a `with` block."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20)
        client.login(user, PASSWORD)
        return client

    def prepare(self, user: str) -> None:
        """The user's folders, as a first login makes them."""
        self.client(user).logout()

    def deliver(
        self, user: str, headers: Mapping[str, str | None], at: datetime, folder: str = "INBOX", body: str = BODY
    ) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        with self.client(user) as client:
            client.append(folder, "\r\n".join([*lines, "", body, ""]).encode(), (), at)


class Dovecot(RealServer):
    sent = "Verschickt"

    def __init__(self) -> None:
        program = dovecot()
        if program is None:
            raise RuntimeError("there is no dovecot")
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())  # it reads no root's mail
        folder = Path(tempfile.mkdtemp(prefix="cadence-imap-"))
        port, self.tls_port = free_ports(2)
        self.certificate = certificate(folder / "certificate.pem", "localhost")
        for name in ("run", "state", "mail", "rawlog"):
            (folder / name).mkdir()
        config = CONFIG.format(
            folder=folder,
            port=port,
            tls_port=self.tls_port,
            user=account.pw_name,
            group=grp.getgrgid(account.pw_gid).gr_name,
            uid=account.pw_uid,
            gid=account.pw_gid,
            password=PASSWORD,
        )
        (folder / "dovecot.conf").write_text(config, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        super().__init__(folder, command, port, account.pw_uid if os.geteuid() == 0 else None)

    def heard(self) -> str:
        """Every line that clients have sent, in the words of the server's own log."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "rawlog").glob("*.in")))


class MailDevel(RealServer):
    """In memory, with no mark on its folders: Sent is found by its name."""

    sent = "Sent"

    def __init__(self) -> None:
        folder, port = Path(tempfile.mkdtemp(prefix="cadence-imap-")), free_port()
        command = [
            *(sys.executable, "-m", "mail_devel", "--host", "127.0.0.1", "--no-http", "--multi-user"),
            *("--password", PASSWORD, "--imap-port", str(port), "--smtp-port", str(free_port())),
        ]
        super().__init__(folder, command, port)

    def prepare(self, user: str) -> None:
        with self.client(user) as client:
            client.create_folder(self.sent)


def certificate(path: Path, name: str) -> Path:
    """A key and a certificate that it signed itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@cache
def dovecot() -> str | None:
    """The program, if it is one that understands our configuration: 2.4 has a language of its own."""
    program = shutil.which("dovecot", path=os.pathsep.join((os.defpath, "/usr/sbin", "/sbin")))
    if program is None:
        return None
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=WITHIN_SECONDS)
    return program if told.stdout.startswith("2.3.") else None


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
