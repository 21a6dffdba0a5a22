"""Keep releases of models."""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this step."""
    op.create_table('model_releases',
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('release_offset', sa.BigInteger(), nullable=False),
    sa.Column('model_name', sa.Text(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('share', sa.Double(), nullable=False),
    sa.Column('released_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_model_releases'))
    )
    op.create_index(op.f('ix_model_releases_model_name_release_offset'), 'model_releases',
    ['model_name', 'release_offset'], unique=False)


def downgrade() -> None:
    """Go back before this step."""
    op.drop_index(op.f('ix_model_releases_model_name_release_offset'), table_name='model_releases')
    op.drop_table('model_releases')
