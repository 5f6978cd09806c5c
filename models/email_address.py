"""Judges an e-mail address that a person typed, or that stands in a file. What mail carries is `addresses`."""

from email_validator import EmailNotValidError, validate_email

from models.addresses import normal_address


def email_address(text: str) -> str:
    """An address in the one spelling under which it is stored; ValueError says what is wrong with it."""
    if not text:
        raise ValueError("an e-mail address is missing")
    normal = normal_address(text)
    try:
        validate_email(
            text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=True, strict=False
        )
    except EmailNotValidError as error:
        raise ValueError(f"'{text}' is not an e-mail address ({_first_sentence(error)})") from error
    if normal is None:
        raise ValueError(f"'{text}' is not an e-mail address")
    return normal


def _first_sentence(error: Exception) -> str:
    text = str(error).split(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]
