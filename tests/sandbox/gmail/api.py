"""The Gmail methods that the stand-in answers, as strict as Gmail is under the metadata scope. No sockets here."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.sandbox.gmail import discovery
from tests.sandbox.gmail.discovery import BadRequest, Method
from tests.sandbox.gmail.faults import Fault, Faults
from tests.sandbox.gmail.mailboxes import GmailMailboxStore, NotFound, Record, StoredMessage
from tests.sandbox.gmail.tokens import METADATA_SCOPE, Access

Values = Mapping[str, list[str]]
PAGE_MAX = 500


class ApiError(Exception):
    """An answer other than 200 in Google's form."""

    def __init__(self, status: int, reason: str, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after

    def body(self) -> str:
        states = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
        states |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
        state = "FAILED_PRECONDITION" if self.reason == "failedPrecondition" else states.get(self.status, "UNKNOWN")
        error = {
            "code": self.status,
            "message": self.message,
            "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
            "status": state,
        }
        return json.dumps({"error": error})


class Dropped(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = ""
    mailbox: str | None = None
    params: Values | None = None


@dataclass(frozen=True, slots=True)
class GmailApi:
    """One call in, one answer out; the same for a plain request and for a part of a batch."""

    mailboxes: Mapping[str, GmailMailboxStore]
    faults: Faults
    access: Callable[[str], Access | None]
    page_token_series: Callable[[], int]

    def answer(self, http_method: str, path: str, query: discovery.Query, authorization: str) -> Answer:
        found = discovery.find(http_method, path)
        if found is None:
            return _error(ApiError(404, "notFound", f"The requested URL {path} was not found on this server."))
        method, where = found
        address: str | None = None
        params: Values = {}
        try:
            access = self._authenticate(authorization)
            address = access.address if where["userId"] == "me" else where["userId"].lower()
            fault = self.faults.take(address, method.name, where.get("id"))
            if fault is not None and fault.gate is not None:
                fault.gate.wait()
                fault = None
            if fault is not None and not fault.empty_history:
                return _faulty(fault, method.name, address, _raw(query))
            params = discovery.check_query(method, query)
            body = self._call(method, access, address, where, params, fault)
        except ApiError as error:
            return _error(error, method.name, address, params or _raw(query))
        except BadRequest as error:
            return _error(ApiError(400, "badRequest", str(error)), method.name, address, params or _raw(query))
        return Answer(200, json.dumps(body), (), method.name, address, params)

    def _authenticate(self, authorization: str) -> Access:
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise ApiError(401, "required", "Request is missing required authentication credential.")
        access = self.access(token)
        if access is None:
            raise ApiError(401, "authError", "Request had invalid authentication credentials.")
        return access

    def _call(
        self,
        method: Method,
        access: Access,
        address: str,
        where: Mapping[str, str],
        params: Values,
        fault: Fault | None,
    ) -> Any:
        if not method.scopes & access.scopes:
            raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        if address != access.address:
            raise ApiError(403, "forbidden", f"Delegation denied for {access.address}")
        mailbox = self.mailboxes.get(address)
        if mailbox is None:
            raise ApiError(400, "failedPrecondition", "Mail service not enabled")
        only_metadata = not access.scopes - {METADATA_SCOPE}
        try:
            body = self._handle(method.name, mailbox, where, params, only_metadata, fault)
        except NotFound:
            raise ApiError(404, "notFound", "Requested entity was not found.") from None
        if "fields" not in params:
            return body
        tree = discovery.parse_fields(params["fields"][0])
        discovery.check_fields(tree, method.response)
        return discovery.select(tree, body)

    def _handle(
        self,
        name: str,
        mailbox: GmailMailboxStore,
        where: Mapping[str, str],
        params: Values,
        only_metadata: bool,
        fault: Fault | None,
    ) -> Any:
        match name:
            case "getProfile":
                return mailbox.profile()
            case "messages.list":
                return self._list(mailbox, params, only_metadata)
            case "messages.get":
                return _get(mailbox, where["id"], params, only_metadata)
            case "history.list":
                return self._history(mailbox, params, fault is not None)
            case "labels.list":
                return {"labels": [_label(label) for label in mailbox.label_ids()]}
            case "labels.get":
                if where["id"] not in mailbox.label_ids():
                    raise NotFound
                return _label(where["id"])
            case _:
                raise ApiError(501, "notImplemented", f"The stand-in does not answer gmail.users.{name}.")

    def _list(self, mailbox: GmailMailboxStore, params: Values, only_metadata: bool) -> dict[str, Any]:
        if "q" in params and only_metadata:
            raise ApiError(403, "forbidden", "Metadata scope does not support 'q' parameter")
        if "q" in params:
            raise ApiError(501, "notImplemented", "The stand-in does not search.")
        position = self._position(params)
        after = (datetime.fromisoformat(position[0]), int(position[1])) if position else None
        with_spam_and_trash = params.get("includeSpamTrash", ["false"])[0] == "true"
        labels = params.get("labelIds", [])
        found = mailbox.newest_first(labels=labels, with_spam_and_trash=with_spam_and_trash, after=after)
        size = _page_size(params)
        page = found[:size]
        body: dict[str, Any] = {"resultSizeEstimate": len(found)}
        if page:
            body["messages"] = [{"id": message.id, "threadId": message.thread_id} for message in page]
        if len(found) > size:
            body["nextPageToken"] = self._token(page[-1].listed_at.isoformat(), page[-1].number)
        return body

    def _history(self, mailbox: GmailMailboxStore, params: Values, as_empty_page: bool) -> dict[str, Any]:
        if "startHistoryId" not in params:
            raise BadRequest("Missing required parameter: startHistoryId")
        start = int(params["startHistoryId"][0])
        position = self._position(params)
        records, history_id = mailbox.history(
            start, params.get("historyTypes", []), params.get("labelId", [""])[0] or None
        )
        done = int(position[0]) if position else start
        rest = [record for record in records if record.id > done]
        body: dict[str, Any] = {"historyId": str(history_id)}
        if as_empty_page:
            return body | {"nextPageToken": self._token(done)}
        size = _page_size(params)
        if rest:
            body["history"] = [_record(record, mailbox.history_with_labels) for record in rest[:size]]
        if len(rest) > size:
            body["nextPageToken"] = self._token(rest[size - 1].id)
        return body

    def _token(self, *position: str | int) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.page_token_series(), *position]).encode()).decode()

    def _position(self, params: Values) -> list[str] | None:
        if "pageToken" not in params:
            return None
        try:
            series, *position = json.loads(base64.urlsafe_b64decode(params["pageToken"][0]))
        except (ValueError, TypeError, binascii.Error):
            raise BadRequest("Invalid pageToken") from None
        if series != self.page_token_series():
            raise BadRequest("Invalid pageToken")
        return [str(part) for part in position]


def _get(mailbox: GmailMailboxStore, message_id: str, params: Values, only_metadata: bool) -> dict[str, Any]:
    format_ = params.get("format", ["full"])[0].lower()
    if format_ in ("full", "raw"):
        if only_metadata:
            raise ApiError(403, "forbidden", f"Metadata scope doesn't allow format {format_.upper()}")
        raise ApiError(501, "notImplemented", "The stand-in has no bodies.")
    message = mailbox.get(message_id)
    body: dict[str, Any] = {
        "id": message.id,
        "threadId": message.thread_id,
        "labelIds": list(message.labels),
        "historyId": str(message.history_id),
        "internalDate": message.internal_date,
        "sizeEstimate": 1000,
    }
    if format_ == "metadata":
        body["payload"] = {"mimeType": "text/plain", "headers": _headers(message, params.get("metadataHeaders"))}
    return body


def _headers(message: StoredMessage, wanted: list[str] | None) -> list[dict[str, str]]:
    names = {name.lower() for name in wanted} if wanted else None
    return [
        {"name": name} if value is None else {"name": name, "value": value}
        for name, value in message.headers
        if names is None or name.lower() in names
    ]


def _record(record: Record, with_labels: bool) -> dict[str, Any]:
    brief = {"id": record.message_id, "threadId": record.thread_id}
    message = {**brief, "labelIds": list(record.labels)} if with_labels else brief
    key = {
        "messageAdded": "messagesAdded",
        "messageDeleted": "messagesDeleted",
        "labelAdded": "labelsAdded",
        "labelRemoved": "labelsRemoved",
    }[record.kind]
    change: dict[str, Any] = {"message": message}
    if record.changed:
        change["labelIds"] = list(record.changed)
    return {"id": str(record.id), "messages": [brief], key: [change]}


def _label(label: str) -> dict[str, str]:
    return {"id": label, "name": label, "type": "system" if label.isupper() else "user"}


def _page_size(params: Values) -> int:
    size = int(params.get("maxResults", ["100"])[0])
    if not 1 <= size <= PAGE_MAX:
        raise BadRequest(f"Invalid value for maxResults: {size}. It must be between 1 and {PAGE_MAX}.")
    return size


def _raw(query: discovery.Query) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    return values


def _error(error: ApiError, method: str = "", mailbox: str | None = None, params: Values | None = None) -> Answer:
    headers = (("Retry-After", error.retry_after),) if error.retry_after else ()
    return Answer(error.status, error.body(), headers, method, mailbox, params)


def _faulty(fault: Fault, method: str, mailbox: str | None, params: Values) -> Answer:
    if not fault.status:
        raise Dropped
    if fault.body is not None:
        return Answer(fault.status, fault.body, (), method, mailbox, params)
    return _error(ApiError(fault.status, fault.reason, fault.message, fault.retry_after), method, mailbox, params)
