"""Column types that every table uses, so that a key or an instant is spelled one way. Holds no table."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import mapped_column

from models.db import UtcDateTime

Id = Annotated[int, mapped_column(primary_key=True)]
WorkspaceId = Annotated[int, mapped_column(ForeignKey("workspace.id"), index=True)]
At = Annotated[datetime, mapped_column(UtcDateTime)]
Words = Annotated[str, mapped_column(Text)]
