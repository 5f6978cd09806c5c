"""the slack surface, whole

A channel that was set before has had its start, and whoever held an assigned claim had nothing to accept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=True),
        sa.Column("app_id", sa.String(), nullable=True),
        sa.Column("enterprise_id", sa.String(), nullable=True),
        sa.Column("team_id", sa.String(), nullable=True),
        sa.Column("team_name", sa.Text(), nullable=True),
        sa.Column("is_enterprise_install", sa.Boolean(), nullable=False),
        sa.Column("bot_id", sa.String(), nullable=True),
        sa.Column("bot_user_id", sa.String(), nullable=True),
        sa.Column("bot_token", sa.Text(), nullable=False),
        sa.Column("bot_scopes", sa.Text(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("installed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_installation_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        sa.UniqueConstraint("key", name=op.f("uq_installation_key")),
    )
    with op.batch_alter_table("installation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_installation_workspace_id"), ["workspace_id"], unique=False)

    op.create_table(
        "oauth_state",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("workspace_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("verifier", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_oauth_state_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_oauth_state_workspace_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth_state")),
    )
    with op.batch_alter_table("oauth_state", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oauth_state_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "muted_partner",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("muted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partner.id"], name=op.f("fk_muted_partner_partner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_muted_partner_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", "partner_id", name=op.f("pk_muted_partner")),
    )
    with op.batch_alter_table("muted_partner", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_muted_partner_partner_id"), ["partner_id"], unique=False)

    op.create_table(
        "forgotten",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("address_hmac", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_forgotten_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "address_hmac", name=op.f("pk_forgotten")),
    )

    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.add_column(sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.add_column(sa.Column("work_from", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("work_to", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("country", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("read", schema=None) as batch_op:
        batch_op.add_column(sa.Column("troubles", sa.JSON(), nullable=True))

    with op.batch_alter_table("workspace", schema=None) as batch_op:
        batch_op.add_column(sa.Column("slack_enterprise_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("when_empty", sa.String(), server_default="post", nullable=False))
        batch_op.add_column(sa.Column("installed_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("previewed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("channel_trouble", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("channel_trouble_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("touches_kept_from", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("access_lost_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("access_lost_why", sa.String(), nullable=True))
    op.execute("UPDATE workspace SET started_at = created_at WHERE channel_id IS NOT NULL")
    op.execute("UPDATE claim SET accepted_at = at WHERE assigned_by_id IS NOT NULL")


def downgrade() -> None:
    op.drop_table("forgotten")
    with op.batch_alter_table("workspace", schema=None) as batch_op:
        batch_op.drop_column("access_lost_why")
        batch_op.drop_column("access_lost_at")
        batch_op.drop_column("touches_kept_from")
        batch_op.drop_column("channel_trouble_at")
        batch_op.drop_column("channel_trouble")
        batch_op.drop_column("started_at")
        batch_op.drop_column("previewed_at")
        batch_op.drop_column("installed_by")
        batch_op.drop_column("when_empty")
        batch_op.drop_column("slack_enterprise_id")

    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("left_at")
        batch_op.drop_column("country")
        batch_op.drop_column("work_to")
        batch_op.drop_column("work_from")

    with op.batch_alter_table("read", schema=None) as batch_op:
        batch_op.drop_column("troubles")

    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.drop_column("accepted_at")

    with op.batch_alter_table("muted_partner", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_muted_partner_partner_id"))

    op.drop_table("muted_partner")
    with op.batch_alter_table("oauth_state", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_oauth_state_expires_at"))

    op.drop_table("oauth_state")
    with op.batch_alter_table("installation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_installation_workspace_id"))

    op.drop_table("installation")
