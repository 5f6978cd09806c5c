"""The roster from files: every error by line and column, and nothing imported unless everything can be."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from jobs.roster.csv import PARTNERS, PEOPLE, export_partners, import_partners, import_people
from jobs.roster.table import RosterError, read_table
from models.cadence import Status
from models.queries.programme import people
from models.queries.roster import partner_lines
from models.tables import AuditEntry, Mailbox, NextStep
from tests.cast import ACME, MONDAY, Cast, put_cast
from tests.command_line import CommandLine
from tests.databases import Database

HEADER = "name,tier,owner_email,domains,contacts,status,since,next_step,next_step_due_on,external_id"
PEOPLE_HEADER = "email,name,role,slack_user_id,aliases,timezone"


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.sessions.begin() as session:
        return put_cast(session)


def refused(
    database: Database, cast: Cast, text: str | bytes, read: Callable[..., object] = import_partners
) -> list[str]:
    """What an import complains about; it must leave nothing behind."""
    data = text if isinstance(text, bytes) else text.encode()
    with database.reading() as session:
        entries = session.scalar(select(func.count()).select_from(AuditEntry))
    with pytest.raises(RosterError) as caught, database.sessions.begin() as session:
        read(session, cast.programme, data, MONDAY)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries
    return [str(problem) for problem in caught.value.problems]


def imported(
    database: Database, cast: Cast, text: str | bytes, read: Callable[..., object] = import_partners
) -> object:
    data = text if isinstance(text, bytes) else text.encode()
    with database.sessions.begin() as session:
        return read(session, cast.programme, data, MONDAY)


def line(**cells: str) -> str:
    row = {
        "name": "Vandelay",
        "tier": "1",
        "owner_email": "dana@lantern.example",
        "domains": "vandelay.example",
    } | cells
    return ",".join(row.get(column, "") for column in PARTNERS)


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"name": ""}, "name", "empty"),
        ({"name": "x" * 301}, "name", "301 characters"),
        ({"name": "Van\x07delay"}, "name", "control character"),
        ({"name": '"Van\ndelay"'}, "name", "line break"),
        ({"tier": "Gold"}, "tier", "no tier 'Gold'"),
        ({"owner_email": "nobody@lantern.example"}, "owner_email", "not on the roster"),
        ({"owner_email": "dana at lantern"}, "owner_email", "not an e-mail address"),
        ({"domains": "gmail.com"}, "domains", "mailboxes to everybody"),
        ({"domains": "co.uk"}, "domains", "public suffix"),
        ({"domains": "onmicrosoft.com"}, "domains", "Microsoft"),
        ({"domains": "vandelay"}, "domains", "not a domain"),
        ({"domains": '"a.example,b.example"'}, "domains", "semicolons"),
        ({"domains": "acme.example"}, "domains", "belongs already to Acme"),
        ({"contacts": "art(at)vandelay"}, "contacts", "not an e-mail address"),
        ({"contacts": "wendy@acme-mail.example"}, "contacts", "belongs already to Acme"),
        ({"contacts": "priya@lantern.example"}, "contacts", "one of our own people"),
        ({"contacts": "dana.kim@lantern.example"}, "contacts", "one of our own people"),
        ({"status": "dormant"}, "status", "active, paused, ended"),
        ({"since": "01.12.2026"}, "since", "not a date"),
        ({"since": "2026-02-30"}, "since", "not a date"),
        ({"since": "20261201"}, "since", "not a date"),
        ({"next_step_due_on": "2026-12-01"}, "next_step_due_on", "no next step"),
        ({"next_step": "Call", "next_step_due_on": "soon"}, "next_step_due_on", "not a date"),
        ({"next_step": "x" * 1001}, "next_step", "1001 characters"),
    ],
)
def test_what_is_wrong_with_a_partner_is_named_by_line_and_column(
    database: Database, cast: Cast, cells: dict[str, str], column: str, words: str
) -> None:
    problems = refused(database, cast, f"{HEADER}\n{line(name='Fine', domains='fine.example')}\n{line(**cells)}\n")
    assert len(problems) == 1
    assert problems[0].startswith(f"line 3, {column}: ")
    assert words in problems[0]


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("nobody,No Body,manager,,,", "email", "not an e-mail address"),
        (",No Body,manager,,,", "email", "missing"),
        ("new@lantern.example,,manager,,,", "name", "empty"),
        ("new@lantern.example,New,boss,,,", "role", "lead, manager, viewer"),
        ("new@lantern.example,New,,,,", "role", "lead, manager, viewer"),
        ("new@lantern.example,New,manager,newbie,,", "slack_user_id", "Slack member id"),
        ("new@lantern.example,New,manager,U0DANA,,", "slack_user_id", "Dana Kim"),
        ("new@lantern.example,New,manager,,dana@lantern.example,", "aliases", "Dana Kim"),
        ("new@lantern.example,New,manager,,wendy@acme-mail.example,", "aliases", "partner"),
        ("dana.kim@lantern.example,New,manager,,,", "email", "Dana Kim"),
        ("new@lantern.example,New,manager,,,Mars/Base", "timezone", "not a time zone"),
    ],
)
def test_what_is_wrong_with_a_person_is_named_by_line_and_column(
    database: Database, cast: Cast, row: str, column: str, words: str
) -> None:
    problems = refused(database, cast, f"{PEOPLE_HEADER}\n{row}\n", import_people)
    assert len(problems) == 1
    assert problems[0].startswith(f"line 2, {column}: ")
    assert words in problems[0]


def test_all_errors_are_reported_in_the_order_of_lines(database: Database, cast: Cast) -> None:
    rows = [
        line(tier="9", since="x"),
        line(name="", domains="gmail.com"),
        line(name="C", domains="c.example", status="x"),
    ]
    problems = refused(database, cast, "\n".join([HEADER, *rows]))
    assert [problem.split(":")[0] for problem in problems] == [
        "line 2, since",
        "line 3, domains",
        "line 3, name",
        "line 4, status",
    ]


def test_an_owner_who_is_no_person_yet_is_told_of_once(database: Database, cast: Cast) -> None:
    rows = [line(name=f"P{n}", domains=f"p{n}.example", owner_email="new@lantern.example") for n in range(30)]
    problems = refused(database, cast, "\n".join([HEADER, *rows]))
    what = "new@lantern.example is not on the roster: import the people first (and 29 more lines)"
    assert problems == [f"line 2, owner_email: {what}"]


def test_the_same_partner_twice_is_refused_whatever_its_spelling(database: Database, cast: Cast) -> None:
    rows = [line(name="Müller GmbH", domains="a.example"), line(name="MULLER  gmbh", domains="b.example")]
    [problem] = refused(database, cast, "\n".join([HEADER, *rows]))
    assert problem == "line 3, name: MULLER  gmbh stands there already: Müller GmbH in line 2"


def test_two_partners_cannot_claim_one_domain_or_contact(database: Database, cast: Cast) -> None:
    rows = [line(contacts="x@y.example"), line(name="B", contacts="X@Y.example")]
    problems = refused(database, cast, "\n".join([HEADER, *rows]))
    assert problems == [
        "line 3, contacts: x@y.example belongs already to Vandelay in line 2",
        "line 3, domains: vandelay.example belongs already to Vandelay in line 2",
    ]


def test_a_domain_may_move_between_partners_that_the_file_names_both(database: Database, cast: Cast) -> None:
    moved = [line(name="Zorin", domains="acme.example"), line(name="Acme", domains="acme-two.example")]
    imported(database, cast, "\n".join([HEADER, *moved]))
    with database.reading() as session:
        lines = {one.name: one.domains for one in partner_lines(session, cast.workspace_id).values()}
    assert (lines["Zorin"], lines["Acme"]) == (("acme.example",), ("acme-two.example",))


def test_domains_that_change_places_are_refused_and_not_half_imported(database: Database, cast: Cast) -> None:
    rows = [line(name="Acme", domains="globex.example"), line(name="Globex", domains="acme.example")]
    [problem] = refused(database, cast, "\n".join([HEADER, *rows]))
    assert "in a circle" in problem


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("name,tier,owner_email,domains,colour", "line 1, colour: unknown column"),
        ("name,tier,domains", "line 1, owner_email: the column is missing"),
        ("name,tier,owner_email", "line 1, domains: the column is missing"),
        ("name,tier,owner_email,domains,domains", "line 1, domains: the column stands there more than once"),
        ("", "line 1: the file is empty"),
        ("name\ttier\towner_email", "unknown column"),
    ],
)
def test_a_header_that_does_not_fit_is_named(database: Database, cast: Cast, header: str, words: str) -> None:
    cells = ",".join("x" for _ in header.split(","))
    assert any(words in problem for problem in refused(database, cast, f"{header}\n{cells}\n" if header else ""))


def test_a_file_that_is_not_utf8_is_refused_with_the_line_of_the_first_bad_byte(database: Database, cast: Cast) -> None:
    latin = f"{HEADER}\n{line()}\n{line(name='Müller', domains='m.example')}\n".encode("latin-1")
    [problem] = refused(database, cast, latin)
    assert problem.startswith("line 3: the file is not UTF-8 (byte 0xfc)")
    [problem] = refused(database, cast, f"{HEADER}\n".encode("utf-16"))
    assert problem.startswith("line 1: the file is not UTF-8")


def test_lines_are_counted_as_an_editor_counts_them(database: Database, cast: Cast) -> None:
    step = '"one\r\ntwo"'
    text = f"{HEADER}\r\n\r\n{line(next_step=step)}\r\n{line(name='')}\r\n"
    [problem] = refused(database, cast, text)
    assert problem.startswith("line 5, name")


def test_cells_that_do_not_fit_the_header_are_named(database: Database, cast: Cast) -> None:
    [problem] = refused(database, cast, f"{HEADER}\nAcme,1\n")
    assert problem == "line 2: it has 2 cells where the header has 10"
    [problem] = refused(database, cast, f'{HEADER}\n{line()}\n"Acme,1\n')
    assert problem.startswith("line 3: the quotes do not fit together")


def test_a_semicolon_file_with_a_byte_order_mark_is_read_like_any_other(database: Database, cast: Cast) -> None:
    text = 'Name;Tier;Owner_Email;Domains\nVandelay;tier 2;Dana@Lantern.example;"a.example; b.example"\n;;;\n'
    imported(database, cast, text.encode("utf-8-sig"))
    with database.reading() as session:
        [found] = [one for one in partner_lines(session, cast.workspace_id).values() if one.name == "Vandelay"]
    assert (found.tier, found.owner_email, found.domains) == (2, "dana@lantern.example", ("a.example", "b.example"))


def test_a_second_import_changes_nothing_and_leaves_no_audit_entry(database: Database, cast: Cast) -> None:
    text = f"{HEADER}\n{line(contacts='b@x.example;a@x.example', next_step='Call', next_step_due_on='2026-12-01')}\n"
    imported(database, cast, text)
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(AuditEntry))
    again = imported(database, cast, text)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == before
        assert session.scalar(select(func.count()).select_from(NextStep)) == 1
    assert getattr(again, "unchanged", None) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["robin@lantern.example,Robin Okafor,manager"],
        ["dana@lantern.example,Dana Kim,manager", "robin@lantern.example,Robin Okafor,viewer"],
        ["robin@lantern.example,Robin Okafor,manager", "not an address,Nova,manager"],
    ],
)
def test_an_import_never_takes_the_last_lead_away(database: Database, cast: Cast, lines: list[str]) -> None:
    problems = refused(database, cast, "\n".join(["email,name,role", *lines]), import_people)
    line = next(number for number, one in enumerate(lines, 2) if one.startswith("robin"))
    keep = "leave Robin Okafor a lead, or make somebody else one in the same file"
    assert f"line {line}, role: nobody would lead the programme any more: {keep}" in problems
    there = "email,name,role\nrobin@lantern.example,Robin Okafor,manager\ndana@lantern.example,Dana Kim,lead\n"
    imported(database, cast, there, import_people)
    with database.reading() as session:
        assert [one.name for one in people(session, cast.workspace_id) if one.leads] == ["Dana Kim"]


def test_an_address_that_stands_twice_is_said_whatever_else_is_wrong(database: Database, cast: Cast) -> None:
    rows = ["email,name,role", "nova@lantern.example,Nova,boss", "nova@lantern.example,Nova Two,manager", ",X,viewer"]
    told = refused(database, cast, "\n".join(rows), import_people)
    assert "line 2, role: 'boss' is none of lead, manager, viewer" in told
    assert "line 3, email: nova@lantern.example belongs already to nova@lantern.example in line 2" in told
    assert len(told) == 3


def test_empty_cells_leave_what_people_have_set(database: Database, cast: Cast) -> None:
    imported(
        database, cast, f"{HEADER}\n{line(next_step='Call', status='paused', since='2026-01-05', external_id='7')}\n"
    )
    imported(database, cast, f"{HEADER}\n{line(tier='3')}\n")
    with database.reading() as session:
        [found] = [one for one in partner_lines(session, cast.workspace_id).values() if one.name == "Vandelay"]
    assert (found.tier, found.next_step, found.status) == (3, "Call", Status.PAUSED)
    assert (str(found.since), found.external_id) == ("2026-01-05", "7")


def test_a_column_that_is_absent_leaves_contacts_and_aliases_alone(database: Database, cast: Cast) -> None:
    imported(database, cast, "name,tier,owner_email,domains\nAcme,1,dana@lantern.example,acme.example\n")
    imported(database, cast, "email,name,role\ndana@lantern.example,Dana Kim,lead\n", import_people)
    with database.reading() as session:
        assert partner_lines(session, cast.workspace_id)[cast.partner(ACME)].contacts == ACME.contacts
        [dana] = [one for one in people(session, cast.workspace_id) if one.name == "Dana Kim"]
    assert (dana.role, dana.aliases, dana.slack_user_id) == ("lead", ("dana.kim@lantern.example",), "U0DANA")


def test_a_mailbox_finds_its_owner_when_the_person_arrives(database: Database, cast: Cast) -> None:
    with database.sessions.begin() as session:
        session.add(
            Mailbox(workspace_id=cast.workspace_id, address="new@lantern.example", provider="mbox", created_at=MONDAY)
        )
    imported(
        database,
        cast,
        "email,name,role,aliases\nnova@lantern.example,Nova,manager,new@lantern.example\n",
        import_people,
    )
    with database.reading() as session:
        [nova] = [one for one in people(session, cast.workspace_id) if one.name == "Nova"]
        assert session.scalar(select(Mailbox.owner_id).where(Mailbox.address == "new@lantern.example")) == nova.id


def test_the_export_is_what_the_import_reads_and_spreadsheets_run_none_of_it(
    database: Database, cast: Cast, tmp_path: Path
) -> None:
    imported(database, cast, f"{HEADER}\n{line(name=chr(39) + '=1+1', next_step='-call; then wait')}\n")
    path = tmp_path / "partners.csv"
    with database.reading() as session, path.open("w", encoding="utf-8") as file:
        export_partners(session, cast.programme, file)
        before = partner_lines(session, cast.workspace_id)
    assert "'=1+1,1," in path.read_text(encoding="utf-8")
    done = imported(database, cast, path.read_bytes())
    with database.reading() as session:
        assert partner_lines(session, cast.workspace_id) == before
    assert "=1+1" in {one.name for one in before.values()}
    assert getattr(done, "unchanged", None) == len(before)


def test_a_dry_run_says_what_would_change_and_changes_nothing(database: Database, cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "partners.csv"
    path.write_text(f"{HEADER}\n{line()}\n{line(name='Acme', tier='2', domains='acme.example')}\n", encoding="utf-8")
    run = CommandLine(database.url)
    said = run("partners", "import", str(path), "--dry-run")
    assert "would be added: Vandelay" in said.out
    assert "would be changed: Acme: tier 1 → 2, contacts wendy@acme-mail.example → none" in said.out
    assert "Vandelay" not in run("partners", "export").out
    assert "2 partners: 1 added, 1 changed, 0 unchanged\n" in run("partners", "import", str(path)).out


def test_a_file_with_a_header_only_says_so(database: Database, cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"{PEOPLE_HEADER}\n", encoding="utf-8")
    assert "names no people" in CommandLine(database.url)("people", "import", str(path)).out


def test_errors_stand_on_stderr_line_by_line_and_the_exit_is_1(database: Database, cast: Cast) -> None:
    said = CommandLine(database.url)(
        "partners", "import", "-", stdin=f"{HEADER}\n{line(tier='9')}\n".encode(), status=1
    )
    assert said.out == ""
    assert said.err.splitlines()[0].startswith("cadence: line 2, tier: there is no tier '9'")
    assert said.err.splitlines()[-1].startswith("nothing was imported")


@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"{HEADER}\n{text}".encode()))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_file_breaks_the_reader(data: bytes) -> None:
    try:
        rows, problems = read_table(data, PARTNERS, ("name",))
    except RosterError as error:
        rows, problems = [], list(error.problems)
    assert all(row.line >= 2 and set(row.cells) <= set(PARTNERS) for row in rows)
    assert all(problem.line >= 1 for problem in problems)


def test_the_columns_are_the_documented_ones() -> None:
    assert ",".join(PARTNERS) == HEADER
    assert ",".join(PEOPLE) == PEOPLE_HEADER
