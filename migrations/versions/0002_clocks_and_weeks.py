"""clocks and weeks"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shutdown",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_shutdown_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shutdown")),
    )
    with op.batch_alter_table("shutdown", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shutdown_workspace_id"), ["workspace_id"], unique=False)

    op.create_table(
        "week_tally",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.Integer(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_week_tally_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "week", "tier_rank", "kind", name=op.f("pk_week_tally")),
    )
    op.create_table(
        "partner_clock",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("week", sa.Integer(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("touched", sa.Boolean(), nullable=False),
        sa.Column("last_touch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("soon_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("late_on", sa.Date(), nullable=True),
        sa.Column("start_seen_on", sa.Date(), nullable=True),
        sa.Column("backed_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_partner_clock_partner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_partner_clock_workspace_id")),
        sa.PrimaryKeyConstraint("partner_id", name=op.f("pk_partner_clock")),
    )
    with op.batch_alter_table("partner_clock", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_partner_clock_workspace_id"), ["workspace_id"], unique=False)

    op.create_table(
        "week_span",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("from_week", sa.Integer(), nullable=False),
        sa.Column("until_week", sa.Integer(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_week_span_partner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("partner_id", "from_week", name=op.f("pk_week_span")),
    )
    op.create_table(
        "week_window",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.Integer(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=False),
        sa.Column("in_time", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_week_window_partner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("partner_id", "week", "tier_rank", name=op.f("pk_week_window")),
    )
    with op.batch_alter_table("workspace", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cadence_version", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("workspace", schema=None) as batch_op:
        batch_op.drop_column("cadence_version")

    op.drop_table("week_window")
    op.drop_table("week_span")
    with op.batch_alter_table("partner_clock", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_partner_clock_workspace_id"))

    op.drop_table("partner_clock")
    op.drop_table("week_tally")
    with op.batch_alter_table("shutdown", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shutdown_workspace_id"))

    op.drop_table("shutdown")
