"""The files of a workspace: uploaded in three steps by the app, or in a form by a person; downloaded with a token."""

import mimetypes
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tests.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
LARGEST = 20_000_000
"""Slack takes a gigabyte; nobody's roster is as large as this."""


@dataclass(slots=True)
class File:
    id: str
    name: str
    user: str
    created: int
    length: int = 0
    """As announced before the upload; what is sent must be as long."""
    title: str = ""
    content: bytes = b""
    complete: bool = False
    channels: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return PurePosixPath(self.name).suffix.removeprefix(".").lower() or "text"

    @property
    def mimetype(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Files:
    """Everything is guarded by the workspace's lock."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._files: dict[str, File] = {}
        self.base_url = ""
        """Where the server serves them; known once it listens."""

    def __len__(self) -> int:
        return len(self._files)

    def announce(self, name: str, user: str, length: int = 0) -> File:
        ws = self._workspace
        with ws.lock:
            file = File(ws.new_id("F"), name, user, int(ws.clock().timestamp()), length)
            self._files[file.id] = file
            return file

    def add(self, name: str, content: bytes, user: str) -> File:
        """A whole file, as when a person picks one in a form."""
        file = self.announce(name, user)
        file.content, file.length, file.title, file.complete = content, len(content), name, True
        return file

    def find(self, file_id: str) -> File | None:
        """Announced ones too."""
        with self._workspace.lock:
            return self._files.get(file_id)

    def get(self, file_id: str) -> File:
        file = self.find(file_id)
        if file is None or not file.complete:
            raise SlackError("file_not_found")
        return file

    def delete(self, file_id: str) -> None:
        with self._workspace.lock:
            self.get(file_id)
            del self._files[file_id]
            self._workspace.touch()

    def payload(self, file: File) -> Json:
        private = f"{self.base_url}files-pri/{self._workspace.team_id}-{file.id}"
        return {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title or file.name,
            "mimetype": file.mimetype,
            "filetype": file.kind,
            "pretty_type": file.kind.upper(),
            "user": file.user,
            "user_team": self._workspace.team_id,
            "editable": False,
            "size": len(file.content),
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": any(one.startswith("C") for one in file.channels),
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "url_private": f"{private}/{file.name}",
            "url_private_download": f"{private}/download/{file.name}",
            "permalink": f"{self.base_url}files/{file.user}/{file.id}/{file.name}",
            "is_starred": False,
            "has_rich_preview": False,
            "file_access": "visible",
            "channels": [one for one in file.channels if one.startswith("C")],
            "groups": [],
            "ims": [one for one in file.channels if one.startswith("D")],
        }
