"""Which domains a partner may own."""

import pytest

from models.domains import is_freemail, partner_domain


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("acme.example", "acme.example"),
        ("ACME.Example.", "acme.example"),
        ("@acme.example", "acme.example"),
        ("Müller.example", "xn--mller-kva.example"),
        ("eu.acme.co.uk", "eu.acme.co.uk"),
        ("acme.onmicrosoft.com", "acme.onmicrosoft.com"),
        ("acme.github.io", "acme.github.io"),
    ],
)
def test_a_domain_is_stored_in_one_spelling(typed: str, stored: str) -> None:
    assert partner_domain(typed) == stored


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("gmail.com", "mailboxes to everybody"),
        ("hey.com", "mailboxes to everybody"),  # not on the package's list, on ours
        ("qq.com", "mailboxes to everybody"),
        ("co.uk", "public suffix"),
        ("com", "not a domain"),
        ("github.io", "public suffix"),
        ("公司.cn", "public suffix"),
        ("onmicrosoft.com", "Microsoft"),
        ("mail.onmicrosoft.com", "Microsoft"),
        ("", "not a domain"),
        ("acme", "not a domain"),
        ("192.0.2.1", "not a domain"),
        ("dana@acme.example", "not a domain"),
        ("https://acme.example/", "not a domain"),
        ("acme..example", "not a domain"),
        (f"{'a' * 64}.example", "not a domain"),
    ],
)
def test_a_domain_that_strangers_share_is_refused_with_the_reason(typed: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        partner_domain(typed)


def test_a_company_that_a_list_takes_for_a_provider_is_let_in() -> None:
    assert not is_freemail("zoho.com")
    assert is_freemail("zohomail.com")
