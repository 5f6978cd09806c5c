"""Ordinary life: mail that comes and goes, people who press buttons and type, and leads who answer questions."""

import copy
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from bot import ids
from tests.chaos.standins import accepted, private_rooms
from tests.chaos.town import Programme, Town
from tests.chaos.truth import Agreed, Press
from tests.sandbox.slack.delivery import Delivered
from tests.sandbox.slack.errors import SlackError
from tests.sandbox.slack.server import Team
from tests.sandbox.slack.views import elements_with_ids
from tests.sandbox.slack.workspace import Message

MAIL_EVERY = 0.22  # seconds between two mails, about
CLICK_EVERY = 0.35
KINDS = ("out", "in", "out to two", "internal", "stranger", "news", "bounce")
WEIGHTS = (8, 6, 2, 2, 2, 1, 1)
REMEMBERED = timedelta(hours=9)  # with one more step of the clock a day is not over
PATIENCE = 8.0  # seconds before a lead answers whether a message arrived: no bot is frozen for longer
FORM_WITHIN = 2.5  # seconds that somebody waits for a form to open


class Life:
    """Threads that live until `stop`. `done` counts what happened."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town, self.seed = town, seed
        self.done: Counter[str] = Counter()
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], float] = {}  # a question to a lead → when it was first seen
        self.standing = threading.Lock()  # nobody moves the clock meanwhile
        self._writing: set[str] = set()  # who has a form open
        self._times: list[tuple[datetime, dict[str, int]]] = []
        self._settled: set[tuple[str, str]] = set()
        steps: list[tuple[str, Callable[[random.Random], None], float]] = [
            ("mail", self._mail, MAIL_EVERY),
            *((f"click {number}", self._click, CLICK_EVERY) for number in range(3)),
        ]
        self._threads = [self._thread(*step) for step in steps]
        self._going = threading.Event()
        self._leads = self._thread("lead", self._answer_questions, 0.5, self._going)

    def start(self) -> None:
        for thread in (*self._threads, self._leads):
            thread.start()

    def go_home(self) -> None:
        """The leads too stop looking at their messages."""
        self._going.set()
        self._leads.join()

    def stop(self) -> None:
        """No more mail and no more clicks. Leads go on answering what they are asked."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.done[what] += times

    def claim_at_once(self, dice: random.Random) -> str | None:
        """A hundred people press Claim on one partner at the same moment; answers which."""
        programme = self.town.programmes[0]
        free = self._buttons(programme, ids.CLAIM)
        if not free:
            return None
        message, action_id = dice.choice(free)
        partner_id = int(action_id.partition(":")[2])
        crowd = list(programme.crowd)
        barrier = threading.Barrier(len(crowd))

        def press(user: str) -> None:
            self.town.presses.append(Press(programme.team, user, partner_id))
            barrier.wait()
            self._press(programme, user, message, action_id)

        threads = [threading.Thread(target=press, args=(user,), daemon=True) for user in crowd]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.count("claims at once", len(crowd))
        return programme.names[partner_id]

    def repeat_clicks(self, dice: random.Random) -> int:
        """Clicks, forms and events of the last while are delivered once more, out of their order and to either bot.

        Slack repeats for minutes, and for a day Cadence remembers what it got.
        """
        repeated = 0
        for team in self.town.slack.teams:
            known = [one for one in self._lately(team) if one.kind != "slash_commands"]  # those Slack sends once
            for one in dice.sample(known, min(len(known), 6)):
                with self.standing:
                    if one in self._lately(team):
                        team.delivery.send(one.kind, copy.deepcopy(one.payload), retry=1, reason="http_timeout")
                        repeated += 1
        return repeated

    def _lately(self, team: Team) -> list[Delivered]:
        since = self.town.clock.now() - REMEMBERED
        first = next((lengths[team.workspace.team_id] for at, lengths in self._times if at >= since), None)
        return team.delivery.log[first:][-60:] if first is not None else []

    def note_time(self) -> None:
        """What is delivered from now on is not older than this."""
        lengths = {team.workspace.team_id: len(team.delivery.log) for team in self.town.slack.teams}
        self._times.append((self.town.clock.now(), lengths))

    # --- loops

    def _thread(
        self, name: str, step: Callable[[random.Random], None], every: float, ending: threading.Event | None = None
    ) -> threading.Thread:
        arguments = name, step, every, ending or self._ending
        return threading.Thread(target=self._loop, args=arguments, name=name, daemon=True)

    def _loop(self, name: str, step: Callable[[random.Random], None], every: float, ending: threading.Event) -> None:
        dice = random.Random(f"{self.seed} {name}")
        while not ending.wait(dice.uniform(0.4, 1.6) * every):
            try:
                step(dice)
            except (SlackError, StopIteration, KeyError, psycopg.OperationalError):  # it is gone, or away: people shrug
                self.count("clicks on what had gone")

    def _mail(self, dice: random.Random) -> None:
        programme = dice.choices(self.town.programmes, weights=(3, 1))[0]
        ally = dice.choices(programme.allies, weights=[one.liveliness for one in programme.allies])[0]
        kind = dice.choices(KINDS, weights=WEIGHTS)[0]
        at = (self.town.clock.now() - timedelta(seconds=dice.uniform(0, 90))).replace(microsecond=0)
        self.town.write(programme, ally, at, kind)
        self.count("mails")

    def _click(self, dice: random.Random) -> None:
        programme = dice.choices(self.town.programmes, weights=(3, 1))[0]
        user = dice.choice(programme.pressers)
        what = dice.choices((self._claim, self._release, self._type, self._fill_form, self._look), (8, 3, 3, 2, 1))[0]
        what(dice, programme, user)

    # --- what people do

    def _claim(self, dice: random.Random, programme: Programme, user: str) -> None:
        if free := self._buttons(programme, ids.CLAIM):
            message, action_id = dice.choice(free[-12:])
            self.town.presses.append(Press(programme.team, user, int(action_id.partition(":")[2])))
            self._press(programme, user, message, action_id)
            self.count("claims pressed")

    def _release(self, dice: random.Random, programme: Programme, user: str) -> None:
        """Whoever it is tries: only the holder can. Managers are few, so some do hold what they give back."""
        if held := self._buttons(programme, ids.ROW_MENU):
            message, action_id = dice.choice(held[-12:])
            user = dice.choice(programme.managers).slack_id
            menu = next(
                one for _, one in elements_with_ids({"blocks": message.blocks}) if one["action_id"] == action_id
            )
            chosen = [one for one in menu["options"] if ids.RELEASE in one["value"]]
            if chosen:
                self._press(programme, user, message, action_id, {"selected_option": chosen[0]})
                self.count("releases tried")

    def _type(self, dice: random.Random, programme: Programme, user: str) -> None:
        name = dice.choice(programme.allies).name
        partner_id = programme.partner_ids[name]
        verb = dice.choice(("claim", "release", "next"))
        if verb == "claim":
            self.town.presses.append(Press(programme.team, user, partner_id))
        if verb == "next":
            text = f"do thing {dice.randrange(10**9)} for them"
            self.town.agreed.append(Agreed(programme.team, partner_id, text, certain=False))
            self._say(programme, user, f"/cadence next {name}: {text}")
        else:
            self._say(programme, user, f"/cadence {verb} {name}")
        self.count("commands typed")

    def _fill_form(self, dice: random.Random, programme: Programme, user: str) -> None:
        """A next step in a form: when the form closes it is agreed. Nobody has two open."""
        with self._lock:
            if user in self._writing:
                return
            self._writing.add(user)
        try:
            self._fill_one(dice, programme, user)
        finally:
            with self._lock:
                self._writing.discard(user)

    def _fill_one(self, dice: random.Random, programme: Programme, user: str) -> None:
        name = dice.choice(programme.allies).name
        stacks = programme.workspace.views.stacks
        before = {one.id for one in stacks.get(user, ())}
        self._say(programme, user, f"/cadence next {name} by in 9 days")
        if not programme.workspace.wait_until(
            lambda: {one.id for one in stacks.get(user, ())} - before, timeout=FORM_WITHIN
        ):
            return
        view = next(one for one in reversed(stacks[user]) if one.id not in before)
        text = f"send thing {dice.randrange(10**9)} to them"
        values: dict[str, Any] = {ids.STEP_TEXT: {ids.STEP_TEXT: {"type": "plain_text_input", "value": text}}}
        partner_id = ids.decode(view.content["private_metadata"]).need_partner()  # a form may come late, for another
        certain = False  # whatever becomes of the answer: it may be written
        try:
            answer = self.town.team(programme).interactions.submit(user, view.id, values)
            certain = bool(answer["ok"]) and self._was_closed(programme, view.id)
        finally:
            self.town.agreed.append(Agreed(programme.team, partner_id, text, certain))
        self.count("forms submitted")

    def _was_closed(self, programme: Programme, view_id: str) -> bool:
        """Whether the form was told to close. Another answer says that nothing was saved."""
        log = self.town.team(programme).delivery.log
        answers = [one.ack for one in reversed(log[-200:]) if _form_of(one) == view_id]
        return bool(answers) and answers[0].ok and not answers[0].body

    def _look(self, dice: random.Random, programme: Programme, user: str) -> None:
        if dice.random() < 0.5:
            self.town.team(programme).interactions.open_home(user)
        else:
            self._say(programme, user, "/cadence overdue")
        self.count("looks")

    def _answer_questions(self, dice: random.Random) -> None:
        """A lead who is asked whether a message arrived has a look after a while, and answers by what is there."""
        for programme in self.town.programmes:
            workspace = programme.workspace
            for _, lead in programme.leads:
                for message in list(workspace.im(lead).messages):
                    key = programme.team, message.ts
                    again, arrived = self._question(message)
                    if again is None:
                        continue
                    waited = self._asked.setdefault(key, workspace.timer())
                    if workspace.timer() - waited < PATIENCE or key in self._settled:
                        continue
                    channel, payload, status = self._asked_about(again)
                    if status not in ("unknown", "failed"):
                        self._settled.add(key)
                        continue
                    there = self._stands(programme, channel, payload["text"])
                    self._press(programme, lead, message, arrived if there and arrived else again)
                    self._asked[key] = workspace.timer()  # Cadence may have been busy: then once more
                    self.count("answers of leads")

    def _question(self, message: Message) -> tuple[str | None, str | None]:
        names = [one["action_id"] for _, one in elements_with_ids({"blocks": message.blocks})]
        found = {verb: next((one for one in names if one.startswith(f"{verb}:")), None) for verb in _ANSWERS}
        return found[ids.POST_AGAIN], found[ids.IT_ARRIVED]

    def _asked_about(self, action_id: str) -> tuple[str, dict[str, Any], str]:
        """Channel, payload and status of the message that a question is about."""
        [(channel, payload, status)] = self.town.ask(
            "SELECT channel, payload, status FROM outbox_post WHERE id = :id", id=int(action_id.partition(":")[2])
        )
        return channel, json.loads(payload) if isinstance(payload, str) else payload, status

    def _stands(self, programme: Programme, channel: str, text: str) -> bool:
        """Whether it can be seen in Slack."""
        rooms = private_rooms(self.town.team(programme))
        place = programme.team, rooms.get((programme.team, channel), channel), text
        return any((one.team, one.channel, one.text) == place for one in accepted(self.town.slack))

    # --- hands

    def _buttons(self, programme: Programme, verb: str) -> list[tuple[Message, str]]:
        workspace = programme.workspace
        with workspace.lock:
            return [
                (message, element["action_id"])
                for message in workspace.channels[programme.channel].messages
                if message.visible_to is None
                for _, element in elements_with_ids({"blocks": message.blocks})
                if element["action_id"].startswith(f"{verb}:")
            ]

    def _press(
        self, programme: Programme, user: str, message: Message, action_id: str, action: dict[str, Any] | None = None
    ) -> bool:
        try:
            answer = self.town.team(programme).interactions.press(user, message, action_id, action=action)
        except SlackError:
            return False
        return bool(answer["ok"])

    def _say(self, programme: Programme, user: str, text: str) -> None:
        self.town.team(programme).interactions.message(user, programme.channel, text)


def _form_of(one: Delivered) -> str | None:
    return one.payload["view"]["id"] if one.payload.get("type") == "view_submission" else None


_ANSWERS = (ids.POST_AGAIN, ids.IT_ARRIVED)
