"""Promises that no single module can keep: who imports whom, and that README, manifest and code say the same."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from slack_bolt import App

from bot import ids
from bot.listeners import register
from bot.listeners.desk import Desk
from bot.listeners.retired import ANYTHING
from models.settings import setting_names
from tests.databases import ROOT

PRODUCT = ("bot", "jobs", "migrations", "models")
PURE = (
    *(
        "addresses",
        "cadence",
        "correspondence",
        "headers",
        "machine_words",
        "mailbox_health",
        "matching",
        "message",
        "names",
        "standing",
        "verdict",
        "weekly_read",
        "what_if",
    ),
    "clock",  # for its arithmetic; Ruff forbids everybody else to ask what time it is
)

# Whose business a library is. Everybody else gets at it through them.
ONLY = {
    "alembic": ("migrations", "models", "bot.cli"),
    "apscheduler": ("jobs.schedule",),
    "click": ("bot.__main__", "bot.cli"),
    "rich": ("bot.__main__", "bot.cli"),
    "cryptography": ("models.vault", "models.settings"),
    "dotenv": ("models.settings",),
    "flask": ("bot",),
    "google": ("jobs.mailbox",),
    "google_auth_httplib2": ("jobs.mailbox",),
    "googleapiclient": ("jobs.mailbox",),
    "httplib2": ("jobs.mailbox",),
    "imapclient": ("jobs.mailbox",),
    "matplotlib": ("bot.chart",),
    "msal": ("jobs.mailbox",),
    "pydantic_settings": ("models.settings",),
    "requests": ("jobs.mailbox",),
    "slack_bolt": ("bot",),
    "slack_sdk": ("bot",),
    "waitress": ("bot",),
}

# Outside models/ a database is something to hand on; SQL is written in models/queries and models/actions.
SQLALCHEMY_OUTSIDE_MODELS = {
    *("Engine", "Session", "sessionmaker"),
    *("SQLAlchemyError", "IntegrityError", "OperationalError", "DBAPIError", "ArgumentError"),
}

# What the bot does that needs each permission. Nothing that reads messages, nothing that posts uninvited.
SCOPES = {
    "channels:read": "whether a channel is archived, or shared with another company",
    "chat:write": "the weekly read, its updates and the nudges",
    "commands": "/cadence",
    "files:read": "to import a roster that a lead uploads",
    "files:write": "to send exports, and a picture where Slack draws no chart",
    "groups:read": "whether a private channel is shared with another company",
    "im:write": "to open a direct message for a nudge",
    "users:read": "a person's name and time zone",
    "users:read.email": "to find a partner manager by e-mail address",
}


# --- who imports whom ---------------------------------------------------------------------------------------------


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [linter, "--no-logo", "--cache-dir", ROOT / ".cache" / "imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_needs_only_the_standard_library_and_pure_modules(module: str) -> None:
    for imported, _names in _imports(ROOT / "models" / f"{module}.py"):
        top = imported.partition(".")[0]
        assert top in sys.stdlib_module_names or imported in {f"models.{pure}" for pure in PURE}, imported


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_used_in_its_own_place_only(library: str) -> None:
    users = {_module(path) for path in _product() for imported, _ in _imports(path) if _within(imported, library)}
    strangers = {user for user in users if not any(_within(user, place) for place in ONLY[library])}
    assert not strangers


def test_sql_is_written_inside_the_domain_only() -> None:
    written = {
        (_module(path), name)
        for path in _product("bot", "jobs")
        for imported, names in _imports(path)
        if _within(imported, "sqlalchemy")
        for name in names or (imported,)
        if name not in SQLALCHEMY_OUTSIDE_MODELS
    }
    assert not written


def test_nothing_in_the_domain_ends_a_transaction() -> None:
    commits = {
        _module(path)
        for path in _product("models")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}
    }
    assert not commits


def test_every_module_says_what_it_is_for() -> None:
    silent = [_module(path) for path in _product() if _tree(path).body and not ast.get_docstring(_tree(path))]
    assert not silent


def test_what_is_not_installed_is_not_imported() -> None:
    """`make test` installs more than `make demo`, and `make demo` more than `make install`: a slip shows only there."""
    sandbox = [*sorted((ROOT / "tests" / "sandbox").rglob("*.py")), ROOT / "tests" / "cast.py"]
    assert _missing_from("run", _product()) == {("bot.chart", "matplotlib")}, "without it, one line says so"
    assert not _missing_from("demo", sandbox)
    assert not {
        (_module(path), imported)
        for path in sandbox
        for imported, _ in _imports(path)
        if _within(imported, "tests") and not (_within(imported, "tests.sandbox") or imported == "tests.cast")
    }


# --- README -------------------------------------------------------------------------------------------------------


def test_every_setting_is_in_the_readme_and_the_other_way_round() -> None:
    rows = re.findall(r"^\|([^|]*)\|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", row)}
    assert told == set(setting_names())


def test_the_readme_names_no_make_command_that_there_is_not() -> None:
    told = set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s])", "\n".join(_code_in_readme())))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= told <= targets


def test_links_in_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
    gone = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert not gone


# --- Slack: ids, listeners, manifest ------------------------------------------------------------------------------


def test_the_manifest_subscribes_to_exactly_what_the_bot_listens_to() -> None:
    manifest, heard = _manifest(), _heard()
    assert {command["command"] for command in manifest["features"]["slash_commands"]} == heard["command"]
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == heard["event"]


def test_the_manifest_asks_for_no_permission_without_a_reason() -> None:
    scopes = _manifest()["oauth_config"]["scopes"]
    asked = [*scopes["bot"], *scopes.get("bot_optional", [])]
    assert sorted(asked) == sorted(SCOPES)
    assert set(scopes["bot"]) == {"chat:write", "commands", "users:read"}
    assert "user" not in scopes


def test_the_manifest_is_one_that_slack_accepts() -> None:
    manifest = _manifest()
    about = manifest["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 175 <= len(about.get("long_description", " " * 175)) <= 4000
    assert re.fullmatch(r"#[0-9A-Fa-f]{6}", about.get("background_color", "#000000"))
    for command in manifest["features"]["slash_commands"]:
        assert re.fullmatch(r"/[a-z0-9_-]{1,31}", command["command"])
        assert 0 < len(command["description"]) <= 2000
        assert len(command.get("usage_hint", "")) <= 1000
        assert command["should_escape"] is True  # a typed @name then arrives as an id
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    home = manifest["features"]["app_home"]
    assert home["home_tab_enabled"] is True
    published = ROOT.parent / "shared" / "specs" / "slack_manifest.schema.2.0.0.json"
    if published.exists():
        jsonschema.validate(manifest, json.loads(published.read_text(encoding="utf-8")))


def test_every_id_has_a_listener_and_every_listener_an_id() -> None:
    """Leaving out the last one, which answers what older versions have left in Slack."""
    heard = _heard()
    assert heard["action"] - {ANYTHING} == {ids.matches(action) for action in ids.ACTIONS}
    assert heard["view"] == set(ids.FORMS)
    assert heard["options"] - {ANYTHING} == set(ids.MENUS)
    assert heard["command"] == {ids.COMMAND}
    assert heard["event"] == set(ids.EVENTS)


# --- the repository -----------------------------------------------------------------------------------------------


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    path_of_a_machine = re.compile(r"(?<![\w.:/-])/(?:work|root|home|Users)/\w+")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}" for path, text in _texts() for match in path_of_a_machine.finditer(text)
    ]
    assert not found


def test_a_lock_file_names_hashes_and_no_address() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.name for lock in locks] == ["demo.txt", "dev.txt", "run.txt", "uv.txt"]
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^\s*-(?!-hash|c )", "\n".join(_uncommented(text)), re.MULTILINE)
        assert len(re.findall(r"^\S+==", text, re.MULTILINE)) <= text.count("--hash=sha256:")


def test_a_larger_lock_file_holds_the_versions_of_the_smaller() -> None:
    run, demo, dev = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))
        for name in ("run", "demo", "dev")
    )
    assert run < demo < dev


# --- how they look ------------------------------------------------------------------------------------------------


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each import in a file, also inside functions: the module, and the names taken from it."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            module = node.module or ""
            packages = [name for name in names if (ROOT / module.replace(".", "/") / f"{name}.py").exists()]
            yield from ((f"{module}.{name}", ()) for name in packages)
            if rest := tuple(name for name in names if name not in packages):
                yield module, rest


def _missing_from(lock: str, paths: list[Path]) -> set[tuple[str, str]]:
    """Imports of libraries that the lock file does not hold."""
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / f"{lock}.txt").read_text(), re.MULTILINE))
    made_by = packages_distributions()
    ours = {*PRODUCT, "tests", *sys.stdlib_module_names}
    tops = {(_module(path), imported.partition(".")[0]) for path in paths for imported, _ in _imports(path)}
    return {
        (module, top)
        for module, top in tops
        if top not in ours and locked.isdisjoint(re.sub(r"[-_.]+", "-", made).lower() for made in made_by.get(top, []))
    }


def _product(*packages: str) -> list[Path]:
    return [path for package in packages or PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def _manifest() -> Any:
    return yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))


class _Ear:
    """Stands where the Bolt app stands, and remembers what the listeners ask it for."""

    def __init__(self) -> None:
        self.heard: dict[str, set[object]] = {}

    def __getattr__(self, kind: str) -> Callable[[object], Callable[[object], object]]:
        def ask(what: object) -> Callable[[object], object]:
            self.heard.setdefault(kind, set()).add(what)
            return lambda listener: listener

        return ask


def _heard() -> dict[str, set[object]]:
    ear = _Ear()
    register(cast("App", ear), cast("Desk", None))
    return ear.heard


def _code_in_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```.*?^```|^ {4}[^\n]+\n|`[^`\n]+`", text, re.DOTALL | re.MULTILINE)


def _texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the repository; what a dot hides was made here, or is somebody's own (`.env`)."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if hidden or "__pycache__" in parts or not path.is_file() or path.stat().st_size > 5_000_000:
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]
