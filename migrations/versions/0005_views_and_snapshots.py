"""views and snapshots

The views themselves and the guards of held reads belong to the newest schema: see `migrations/env.py`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partner_standing",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("cadence_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=True),
        sa.Column("window_days", sa.Integer(), nullable=True),
        sa.Column("grace_days", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("last_touch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_touch_by", sa.String(), nullable=True),
        sa.Column("last_heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("days_since", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("days_overdue", sa.Integer(), nullable=False),
        sa.Column("reply_backed", sa.Boolean(), nullable=False),
        sa.Column("reply_owed", sa.Boolean(), nullable=False),
        sa.Column("unobserved", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_partner_standing_owner_id")),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_partner_standing_partner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_partner_standing_workspace_id")),
        sa.PrimaryKeyConstraint("partner_id", name=op.f("pk_partner_standing")),
    )
    with op.batch_alter_table("partner_standing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_partner_standing_workspace_id"), ["workspace_id"], unique=False)
    with op.batch_alter_table("read", schema=None) as batch_op:
        batch_op.add_column(sa.Column("timezone", sa.String(), nullable=True))
    with op.batch_alter_table("read_line", schema=None) as batch_op:
        batch_op.add_column(sa.Column("due_on", sa.Date(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("read_line", schema=None) as batch_op:
        batch_op.drop_column("due_on")
    with op.batch_alter_table("read", schema=None) as batch_op:
        batch_op.drop_column("timezone")
    with op.batch_alter_table("partner_standing", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_partner_standing_workspace_id"))
    op.drop_table("partner_standing")
