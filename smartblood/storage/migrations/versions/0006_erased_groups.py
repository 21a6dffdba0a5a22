"""An offer to a donor who was erased no longer says the donor's group and tier."""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

# An erasure has emptied the distance ever since; nothing else has.
EMPTY = """
UPDATE match_predictions SET blood_group = NULL, compatibility_tier = NULL
WHERE distance_km IS NULL AND feature_vector::text = '{}'
"""

# The group is gone for good: what is put in its place is that of nobody.
FILL = """
UPDATE match_predictions SET blood_group = coalesce(blood_group, ''), compatibility_tier = coalesce(compatibility_tier, 0)
WHERE blood_group IS NULL OR compatibility_tier IS NULL
"""


def upgrade() -> None:
    """Go to this step."""
    op.alter_column('match_predictions', 'blood_group', existing_type=sa.Text(), nullable=True)
    op.alter_column('match_predictions', 'compatibility_tier', existing_type=sa.Integer(), nullable=True)
    op.execute(EMPTY)


def downgrade() -> None:
    """Go back before this step."""
    op.execute(FILL)
    op.alter_column('match_predictions', 'blood_group', existing_type=sa.Text(), nullable=False)
    op.alter_column('match_predictions', 'compatibility_tier', existing_type=sa.Integer(), nullable=False)
