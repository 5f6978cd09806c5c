"""Consent on a page of ours: asks the providers for `bot.connecting`, which knows none of them. Stores nothing."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.connecting import Consent, NotConsented, Question
from jobs.capture import BACKFILL
from jobs.mailbox.base import NeedsAuth, ProviderError
from jobs.mailbox.graph_errors import NoMailbox
from jobs.mailbox.providers import LOGINS, PROVIDERS, Account
from models.addresses import normal_address
from models.clock import Clock
from models.settings import Settings, SettingsError

if TYPE_CHECKING:
    from jobs.mailbox.consent import Login


class WebConsents:
    """The providers whose apps the settings name."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    def providers(self) -> tuple[str, ...]:
        """Those at which people can consent: `gmail`, `graph`."""
        found = []
        for provider in LOGINS:
            with suppress(SettingsError):
                self._login(provider)
                found.append(provider)
        return tuple(found)

    def begin(self, provider: str, address: str, back: str) -> Question:
        """The question for this person; the answer comes to `back`. Calls nobody; raises NotConsented."""
        from jobs.mailbox.consent import begin

        try:
            pending = begin(self._login(provider), address, back, self._clock.now())
        except SettingsError as error:
            raise NotConsented(str(error)) from error
        return Question(pending.url, pending.state, pending.dump())

    def finish(self, provider: str, kept: str, answer: Mapping[str, str], addresses: Sequence[str]) -> Consent:
        """What the answer is worth, if it opens one of these addresses: a handful of calls. Raises NotConsented."""
        from jobs.mailbox.consent import Pending, finish

        now = self._clock.now()
        try:
            granted = finish(Pending.load(kept), answer, self._login(provider), now)
            address = self._whose(provider, granted.secret, addresses)
        except (ProviderError, SettingsError) as error:
            raise NotConsented(str(error)) from error
        return Consent(address, granted.secret, now - BACKFILL, granted.ends_at)

    def _login(self, provider: str) -> "Login":
        return LOGINS[provider](self._settings, web=True)

    def _whose(self, provider: str, secret: str, addresses: Sequence[str]) -> str:
        """Google names the account. Microsoft does not, but opens it by its own address alone."""
        refusals = []
        for address in addresses:
            built = PROVIDERS[provider](Account(address, secret), self._settings, self._clock)
            try:
                answered = built.check()
            except (NeedsAuth, NoMailbox) as error:
                refusals.append(str(error).partition(". ")[0])
                continue
            found = normal_address(answered) or answered
            if found in addresses:
                return found
            raise NotConsented(
                f"the account that consented is {found}, and not {addresses[0]}: start again, and choose "
                f"{addresses[0]} on the page"
            )
        raise NotConsented(
            f"the account that consented does not open {' or '.join(addresses)} ({refusals[0]}): start again, signed "
            f"in as {addresses[0]}"
        )
