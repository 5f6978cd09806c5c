"""What a person does in the stand-in workspace, done by code: type a command, press a button, fill in a form.

Goes through the same endpoints as the page in the browser, and looks for what it presses in what is on screen.
"""

from typing import Any

import requests


class Hands:
    """One person at the page."""

    def __init__(self, page_url: str, user: str) -> None:
        self.page_url, self.user = page_url.rstrip("/"), user

    def messages(self, channel: str, **more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("messages", channel=channel, **more)["messages"]
        return found

    def type(self, channel: str, text: str) -> dict[str, Any]:
        return self._post("message", channel=channel, text=text)

    def button(self, messages: list[dict[str, Any]], label: str, spoken: str) -> dict[str, Any] | None:
        """The first button of this label whose spoken label names what is meant, with where it stands."""
        for message in messages:
            for block in message["blocks"]:
                for element in (block.get("accessory"), *block.get("elements", [])):
                    if not element or element.get("type") != "button" or element["text"]["text"] != label:
                        continue
                    if spoken in element.get("accessibility_label", ""):
                        return {"ts": message["ts"], "block_id": block["block_id"], "element": element}
        return None

    def press(self, channel: str, button: dict[str, Any]) -> dict[str, Any]:
        element = button["element"]
        return self._post(
            "action",
            container={"type": "message", "channel": channel, "ts": button["ts"]},
            block_id=button["block_id"],
            action_id=element["action_id"],
            action={"type": "button", "value": element.get("value")},
        )

    def modal(self) -> dict[str, Any] | None:
        """The view on top, if one is open."""
        views = self._get("modals")["views"]
        return views[-1] if views else None

    def submit(self, view: dict[str, Any], values: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return self._post("submit", view_id=view["id"], state={"values": values})

    def _get(self, what: str, **query: str) -> dict[str, Any]:
        answer = requests.get(f"{self.page_url}/ui/{what}", params={"user": self.user, **query}, timeout=30)
        found: dict[str, Any] = answer.json()
        return found

    def _post(self, what: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.page_url}/ui/{what}", json={"user": self.user, **body}, timeout=30)
        found: dict[str, Any] = answer.json()
        return found
