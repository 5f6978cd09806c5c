"""Provider name → how its mailboxes are built: a new provider is one new file and one new line in the table.

Building checks the secret and calls nobody. Imports happen on use: most commands need no provider's library.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.mailbox.base import Mailbox, ProviderError
from models.clock import Clock, SystemClock
from models.queries.mail import MailboxFacts
from models.settings import Settings, SettingsError
from models.vault import Vault

if TYPE_CHECKING:
    from jobs.mailbox.consent import Login


@dataclass(frozen=True, slots=True)
class Account:
    """What is stored of a mailbox: its address, its secret if there is one, and the provider's own options."""

    address: str
    secret: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


Build = Callable[[Account, Settings, Clock], Mailbox]


def _gmail(account: Account, settings: Settings, clock: Clock) -> Mailbox:
    """With a secret the person's own consent, without one the service account that may act for the address."""
    from jobs.mailbox.gmail import GmailMailbox
    from jobs.mailbox.gmail_quota import quota_for
    from jobs.mailbox.google_auth import consented, delegated

    address, secret = account.address, account.secret
    api_url, skip = settings.gmail_api_url, settings.gmail_skip_categories
    quota = quota_for(api_url, settings.gmail_units_per_second, settings.gmail_quota)
    if secret is not None:
        return GmailMailbox(consented(secret), address=address, api_url=api_url, clock=clock, quota=quota, skip=skip)
    if settings.google_service_account_file is None:
        raise SettingsError(
            "GOOGLE_SERVICE_ACCOUNT_FILE is not set: set it to the service account's key file, or let the person "
            "consent with --consent or --token-file"
        )
    credentials = delegated(settings.google_service_account_file, address)
    return GmailMailbox(credentials, address=address, api_url=api_url, clock=clock, quota=quota, skip=skip)


def _graph(account: Account, settings: Settings, clock: Clock) -> Mailbox:
    """With a secret the person's own consent, without one the app that an administrator gave access to the mailbox."""
    try:
        from jobs.mailbox.graph import GraphMailbox
        from jobs.mailbox.microsoft_auth import app_only, consented
    except ImportError as error:
        raise ProviderError(
            f"Microsoft 365 needs a library that is not installed ({error.name}): run `make install` again"
        ) from error

    address, secret = account.address, account.secret
    login_url, api_url = settings.microsoft_login_url, settings.graph_api_url
    if secret is not None:
        return GraphMailbox(consented(secret, login_url, api_url), address, api_url=api_url, clock=clock)
    tenant_id, client_id = settings.microsoft_tenant_id, settings.microsoft_client_id
    client_secret = settings.microsoft_client_secret
    if tenant_id is None or client_id is None or client_secret is None:
        raise SettingsError(
            "MICROSOFT_TENANT_ID, MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET are not all set: "
            "copy them from the app's page in the Microsoft Entra admin center, or let the person consent "
            "with --consent or --token-file"
        )
    app = app_only(tenant_id, client_id, client_secret.get_secret_value(), login_url, api_url)
    return GraphMailbox(app, address, api_url=api_url, clock=clock)


def _imap(account: Account, settings: Settings, clock: Clock) -> Mailbox:
    """The server and its folders stand in the options; the secret is a password, or a token file for XOAUTH2."""
    try:
        from jobs.mailbox.imap import ImapMailbox
        from jobs.mailbox.imap_access import access_of
    except ImportError as error:
        raise ProviderError(
            f"IMAP needs a library that is not installed ({error.name}): run `make install` again"
        ) from error

    return ImapMailbox(access_of(account.address, account.secret, account.options), clock=clock)


def _gmail_login(settings: Settings, *, web: bool) -> "Login":
    from jobs.mailbox.consent import Login
    from jobs.mailbox.google_auth import SCOPE

    client_id, client_secret = settings.google_client_id, settings.google_client_secret
    if client_id is None or client_secret is None:
        raise SettingsError(
            "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not both set: "
            "copy them from the OAuth client's page in the Google Cloud console"
        )
    return Login(
        "Google",
        auth_url=settings.google_auth_url,
        token_url=settings.google_token_url,
        client_id=client_id,
        client_secret=client_secret.get_secret_value(),
        scopes=(SCOPE,),
        extra={"access_type": "offline", "prompt": "consent"},
        kept={"type": "authorized_user", "token_uri": settings.google_token_url},
        setup="GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET",
    )


def _graph_login(settings: Settings, *, web: bool) -> "Login":
    """Without `web` the app is a public client, as Microsoft has it for programs: a secret would be refused."""
    from jobs.mailbox.consent import Login
    from jobs.mailbox.microsoft_auth import PERMISSION, resource_at

    tenant_id, client_id = settings.microsoft_tenant_id, settings.microsoft_client_id
    if tenant_id is None or client_id is None:
        raise SettingsError(
            "MICROSOFT_TENANT_ID and MICROSOFT_CLIENT_ID are not both set: "
            "copy them from the app's page in the Microsoft Entra admin center"
        )
    secret = settings.microsoft_client_secret if web else None
    if web and secret is None:
        raise SettingsError(
            "MICROSOFT_CLIENT_SECRET is not set: make one under Certificates & secrets on the app's page in the "
            "Microsoft Entra admin center"
        )
    login_url = f"{settings.microsoft_login_url}/{tenant_id}/oauth2/v2.0"
    return Login(
        "Microsoft",
        auth_url=f"{login_url}/authorize",
        token_url=f"{login_url}/token",
        client_id=client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=(f"{resource_at(settings.graph_api_url)}/{PERMISSION}", "offline_access"),
        extra={"response_mode": "query"},
        kept={"tenant_id": tenant_id},
        setup="MICROSOFT_TENANT_ID, MICROSOFT_CLIENT_ID and the app's page under Authentication",
        harmless=frozenset({"offline_access", "openid", "profile", "email", "User.Read"}),
    )


PROVIDERS: dict[str, Build] = {"gmail": _gmail, "graph": _graph, "imap": _imap}
LOGINS = {"gmail": _gmail_login, "graph": _graph_login}
"""Where a person can consent. `web`: the answer comes to a page of ours, and not to this machine."""


def build_mailbox(facts: MailboxFacts, settings: Settings, vault: Vault, clock: Clock | None = None) -> Mailbox:
    """The mailbox behind a stored row. Raises ProviderError, VaultError or SettingsError, each saying what to do."""
    build = PROVIDERS.get(facts.provider)
    if build is None:
        raise ProviderError(f"{facts.address} is known from an import only: connect it with `cadence mailbox add`")
    secret = vault.open(facts.address, facts.credential) if facts.credential else None
    return build(Account(facts.address, secret, facts.options), settings, clock or SystemClock())
