"""The only reader of the environment. Every setting has one name, one default and one error that says what to do."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CommaList = Annotated[tuple[str, ...], NoDecode]
GMAIL_QUOTA = r"(2026|2025)( (profile|history|listing|message|user|project|day)=[1-9]\d{0,11})*"
GMAIL_CATEGORIES = ("promotions", "social", "updates", "forums")
LEAST_KEPT = {
    "keep_touches_days": (1200, "three years of coverage and every partner's rhythm rest on them"),
    "keep_ledger_days": (180, "mail that a mailbox still lists would be read again"),
    "keep_audit_days": (30, "leads look up there who changed what"),
}
"""Setting → the fewest days that change no figure, and what needs them."""


class SettingsError(Exception):
    """A setting is missing or wrong. The text names it and says what to do."""


class ReadAt:
    """The weekly read's hour: a weekday (0 is Monday) and a local wall-clock time."""

    def __init__(self, words: str) -> None:
        found = re.fullmatch(r"\s*([a-z]{3})[a-z]*\s+([0-2]?\d):([0-5]\d)\s*", words.lower())
        if not found or found[1] not in WEEKDAYS or int(found[2]) > 23:
            raise ValueError(f"'{words}' is not a weekday and a time such as 'mon 09:00'")
        self.weekday = WEEKDAYS.index(found[1])
        self.at = time(int(found[2]), int(found[3]))
        if self.at < time(4):
            raise ValueError(f"'{words}' lies between 00:00 and 03:59, where clocks change: choose 04:00 or later")

    def __str__(self) -> str:
        return f"{WEEKDAYS[self.weekday]} {self.at:%H:%M}"


def zone_named(name: str) -> ZoneInfo:
    """The time zone, or ValueError with a word for people."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"'{name}' is not a time zone such as 'Europe/London'") from error


class Settings(BaseSettings):
    """Read from the environment, or from a `.env` file in the working directory."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    database_url: str = Field("sqlite:///cadence.db", validation_alias="CADENCE_DATABASE_URL")
    timezone: str = Field("UTC", validation_alias="CADENCE_TIMEZONE")
    channel: str | None = Field(None, validation_alias="CADENCE_CHANNEL")
    read_at: str = Field("mon 09:00", validation_alias="CADENCE_READ_AT")
    leads: CommaList = Field((), validation_alias="CADENCE_LEADS")
    secret_keys: CommaList = Field((), validation_alias="CADENCE_SECRET_KEYS", repr=False)
    poll_seconds: int = Field(300, ge=1, validation_alias="CADENCE_POLL_SECONDS")
    tick_seconds: int = Field(20, ge=1, validation_alias="CADENCE_TICK_SECONDS")
    keep_touches_days: int = Field(0, ge=0, validation_alias="CADENCE_KEEP_TOUCHES_DAYS")
    keep_ledger_days: int = Field(0, ge=0, validation_alias="CADENCE_KEEP_LEDGER_DAYS")
    keep_audit_days: int = Field(0, ge=0, validation_alias="CADENCE_KEEP_AUDIT_DAYS")
    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, validation_alias="SLACK_SIGNING_SECRET")
    slack_client_id: str | None = Field(None, validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(None, validation_alias="SLACK_CLIENT_SECRET")
    slack_authorize_url: str = Field("https://slack.com/oauth/v2/authorize", validation_alias="SLACK_AUTHORIZE_URL")
    public_url: str | None = Field(None, validation_alias="CADENCE_PUBLIC_URL")
    slack_api_url: str = Field("https://slack.com/api/", validation_alias="SLACK_API_URL")
    google_service_account_file: Path | None = Field(None, validation_alias="GOOGLE_SERVICE_ACCOUNT_FILE")
    google_client_id: str | None = Field(None, validation_alias="GOOGLE_CLIENT_ID")
    google_client_secret: SecretStr | None = Field(None, validation_alias="GOOGLE_CLIENT_SECRET")
    google_auth_url: str = Field("https://accounts.google.com/o/oauth2/v2/auth", validation_alias="GOOGLE_AUTH_URL")
    google_token_url: str = Field("https://oauth2.googleapis.com/token", validation_alias="GOOGLE_TOKEN_URL")
    gmail_api_url: str = Field("https://gmail.googleapis.com", validation_alias="GMAIL_API_URL")
    gmail_quota: str = Field("2026", validation_alias="GMAIL_QUOTA")
    gmail_units_per_second: float | None = Field(None, gt=0, validation_alias="GMAIL_UNITS_PER_SECOND")
    gmail_skip_categories: CommaList = Field((), validation_alias="GMAIL_SKIP_CATEGORIES")
    microsoft_tenant_id: str | None = Field(None, validation_alias="MICROSOFT_TENANT_ID")
    microsoft_client_id: str | None = Field(None, validation_alias="MICROSOFT_CLIENT_ID")
    microsoft_client_secret: SecretStr | None = Field(None, validation_alias="MICROSOFT_CLIENT_SECRET")
    microsoft_login_url: str = Field("https://login.microsoftonline.com", validation_alias="MICROSOFT_LOGIN_URL")
    graph_api_url: str = Field("https://graph.microsoft.com", validation_alias="GRAPH_API_URL")

    @field_validator("leads", "secret_keys", "gmail_skip_categories", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _a_database_we_know(cls, value: str) -> str:
        try:
            backend = make_url(value).get_backend_name()
        except (ArgumentError, ValueError):  # the text of a ValueError quotes what stands where a port should
            backend = ""
        if backend not in ("sqlite", "postgresql", "postgres"):
            raise ValueError(
                "give 'sqlite:///cadence.db' or 'postgresql://user:password@host/database'"
                " (with %40 for an @ in the password)"
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _a_real_zone(cls, value: str) -> str:
        return zone_named(value).key

    @field_validator("read_at")
    @classmethod
    def _a_real_hour(cls, value: str) -> str:
        return str(ReadAt(value))

    @field_validator("keep_touches_days", "keep_ledger_days", "keep_audit_days")
    @classmethod
    def _long_enough(cls, value: int, info: ValidationInfo) -> int:
        least, why = LEAST_KEPT[info.field_name or ""]
        if value and value < least:
            raise ValueError(f"give 0 to keep everything, or at least {least} days: {why}")
        return value

    @field_validator("gmail_quota")
    @classmethod
    def _a_table_of_prices(cls, value: str) -> str:
        value = " ".join(value.split())
        if not re.fullmatch(GMAIL_QUOTA, value):
            raise ValueError("give 2026 or 2025, and what differs, such as '2026 user=3000 project=600000'")
        return value

    @field_validator("gmail_skip_categories")
    @classmethod
    def _categories_of_gmail(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.lower() for name in value)
        if unknown := [name for name in names if name not in GMAIL_CATEGORIES]:
            raise ValueError(f"'{unknown[0]}' is none of {', '.join(GMAIL_CATEGORIES)}")
        return names

    @field_validator("slack_api_url")
    @classmethod
    def _with_a_slash(cls, value: str) -> str:
        return cls._url(value).rstrip("/") + "/"

    @field_validator("google_auth_url", "google_token_url", "gmail_api_url", "microsoft_login_url", "graph_api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("give a full address that starts with https://")
        return value.rstrip("/")

    @field_validator("slack_authorize_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        return cls._url(value)

    @field_validator("public_url")
    @classmethod
    def _where_browsers_reach_us(cls, value: str | None) -> str | None:
        if value is None:
            return None
        here = urlsplit(value.rstrip("/"))
        near = here.scheme == "http" and here.hostname in ("localhost", "127.0.0.1")
        if not here.hostname or here.path or here.query or (here.scheme != "https" and not near):
            raise ValueError("give the address of this server, such as https://cadence.yourcompany.com, without a path")
        return value.rstrip("/")

    @property
    def installable(self) -> bool:
        """Whether people install the app in their own Slack workspaces."""
        return self.slack_client_id is not None and self.slack_client_secret is not None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret among the settings, so that nobody shows one."""
        held = [value for _, value in self if isinstance(value, SecretStr)]
        url = make_url(self.database_url)
        passwords = [str(one) for one in (url.password, url.query.get("password")) if one]
        return (*(one.get_secret_value() for one in held), *self.secret_keys, *passwords)


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; raises SettingsError with one line per wrong variable."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # tests and the sandbox hand over plain values by variable name
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, problem['loc']))}: {_plain(problem['msg'])}" for problem in error.errors()]
        raise SettingsError("; ".join(lines)) from error


def setting_names() -> tuple[str, ...]:
    """Every environment variable that Cadence reads."""
    return tuple(str(field.validation_alias) for field in Settings.model_fields.values())


@contextmanager
def lent(**variables: str) -> Iterator[None]:
    """Tells a library something by its own variables while it is loaded, unless the environment does already."""
    given = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
