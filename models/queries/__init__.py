"""Every SELECT. Answers frozen dataclasses, never rows of the ORM, and never writes."""
