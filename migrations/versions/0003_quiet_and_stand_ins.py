"""quiet and stand-ins"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stand_in",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("stand_in_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_stand_in_person_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["stand_in_id"], ["person.id"], name=op.f("fk_stand_in_stand_in_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_stand_in")),
    )
    with op.batch_alter_table("read_line", schema=None) as batch_op:
        batch_op.add_column(sa.Column("quiet_chance", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("quiet_words", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("read_line", schema=None) as batch_op:
        batch_op.drop_column("quiet_words")
        batch_op.drop_column("quiet_chance")
    op.drop_table("stand_in")
