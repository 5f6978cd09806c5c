"""Secrets at rest: sealed with Fernet keys that can be rotated. Knows nothing of who stores them where."""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes seven megabytes, and most commands open no secret: loaded where one is
    from cryptography.fernet import MultiFernet


class VaultError(Exception):
    """A secret cannot be sealed or opened; the text says what to do."""


class Vault:
    """The first key seals, all keys open. A sealed secret names its owner, so it cannot be moved to another row."""

    _fernet: "MultiFernet | None" = None

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        if not keys:
            return
        from cryptography.fernet import Fernet, MultiFernet

        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise VaultError(
                "CADENCE_SECRET_KEYS holds a value that is no Fernet key: make one with `cadence secrets new-key`"
            ) from error

    def seal(self, owner: str, secret: str) -> str:
        return self._ready().encrypt(json.dumps([owner, secret]).encode()).decode()

    def open(self, owner: str, sealed: str) -> str:
        from cryptography.fernet import InvalidToken

        try:
            named, secret = json.loads(self._ready().decrypt(sealed.encode()))
        except InvalidToken as error:
            raise VaultError(
                f"the secret of {owner} was sealed with a key that is not in CADENCE_SECRET_KEYS"
                f" (which holds {', '.join(map(key_name, self._keys))}): add the old key there"
            ) from error
        if named != owner:
            raise VaultError(f"the secret stored for {owner} belongs to {named}: connect it again")
        return str(secret)

    def reseal(self, owner: str, sealed: str) -> str:
        """The same secret under the first key; as it stands where it is under that one already."""
        secret = self.open(owner, sealed)
        try:
            Vault(self._keys[:1]).open(owner, sealed)
        except VaultError:
            return self.seal(owner, secret)
        return sealed

    def _ready(self) -> "MultiFernet":
        if self._fernet is None:
            raise VaultError("CADENCE_SECRET_KEYS is not set: make a key with `cadence secrets new-key` and set it")
        return self._fernet


def key_name(key: str) -> str:
    """What a key is called where people read: eight digits of its SHA-256, which open nothing."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
