"""Count demand by day, keep forecasts by their instant, and what maintenance needs."""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DISTRICTS = (
    'Alappuzha', 'Ernakulam', 'Idukki', 'Kannur', 'Kasaragod', 'Kollam', 'Kottayam', 'Kozhikode', 'Malappuram',
    'Palakkad', 'Pathanamthitta', 'Thiruvananthapuram', 'Thrissur', 'Wayanad',
)

# Whoever wrote a row of demand before this step, it wasn't recording: it is taken for imported.
KEEP_WHAT_IS_THERE = """
UPDATE demand_days SET imported_requested = units_requested, imported_fulfilled = units_fulfilled
"""

COUNT_WHAT_IS_RECORDED = """
INSERT INTO demand_days AS known (district, blood_group, day, units_requested, units_fulfilled, n_requests)
SELECT r.district, r.blood_group, (r.created_at AT TIME ZONE interval '5 hours 30 minutes')::date,
       SUM(r.units_required), COALESCE(SUM(c.units_fulfilled), 0), COUNT(*)
FROM blood_requests r LEFT JOIN request_closings c ON c.request_id = r.id
WHERE r.district IN :districts
GROUP BY 1, 2, 3
ON CONFLICT (district, blood_group, day) DO UPDATE SET
    units_requested = known.units_requested + excluded.units_requested,
    units_fulfilled = known.units_fulfilled + excluded.units_fulfilled,
    n_requests = excluded.n_requests
"""

# What is left of promises follows from mean and spread of the Beta whose prior weighs 2.013 trials, 1.097 of them kept.
READ_RELIABILITY_BACK = """
UPDATE donors SET
    promises_left = GREATEST(0, total - 2.013133881651279),
    kept_left = LEAST(GREATEST(0, total - 2.013133881651279),
                      GREATEST(0, reliability_score * total - 1.0971579654999468)),
    reliability_at = updated_at
FROM (SELECT id AS of_id, reliability_score * (1 - reliability_score) / (reliability_sd * reliability_sd) - 1 AS total
      FROM donors WHERE reliability_sd > 0) AS trials
WHERE id = of_id AND n_promises > 0
"""


def upgrade() -> None:
    """Go to this step."""
    op.add_column('demand_days', sa.Column('n_requests', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.add_column('demand_days', sa.Column('imported_requested', sa.BigInteger(), nullable=True))
    op.add_column('demand_days', sa.Column('imported_fulfilled', sa.BigInteger(), nullable=True))
    op.execute(KEEP_WHAT_IS_THERE)
    # Nobody who still records without counting gets between the sum and the commit.
    op.execute('LOCK TABLE blood_requests, request_closings IN SHARE MODE')
    count = sa.text(COUNT_WHAT_IS_RECORDED).bindparams(sa.bindparam('districts', DISTRICTS, expanding=True))
    op.get_bind().execute(count)
    op.add_column('demand_forecasts', sa.Column('as_of', INSTANT, nullable=True))
    op.add_column('demand_forecasts', sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=True))
    op.add_column('demand_forecasts', sa.Column('quantiles', sa.JSON(none_as_null=True), nullable=True))
    op.execute("UPDATE demand_forecasts SET as_of = created_at, event_id = '00000000-0000-0000-0000-000000000000'")
    op.alter_column('demand_forecasts', 'as_of', nullable=False)
    op.alter_column('demand_forecasts', 'event_id', nullable=False)
    op.create_index(op.f('ix_demand_forecasts_forecast_date'), 'demand_forecasts', ['forecast_date'], unique=False)
    op.add_column('donors', sa.Column('promises_left', sa.Double(), nullable=True))
    op.add_column('donors', sa.Column('kept_left', sa.Double(), nullable=True))
    op.add_column('donors', sa.Column('reliability_at', INSTANT, nullable=True))
    op.execute(READ_RELIABILITY_BACK)
    op.create_table('maintenance',
    sa.Column('schedule', sa.Text(), nullable=False),
    sa.Column('due_at', INSTANT, nullable=False),
    sa.Column('done_at', INSTANT, nullable=True),
    sa.PrimaryKeyConstraint('schedule', name=op.f('pk_maintenance'))
    )


def downgrade() -> None:
    """Go back before this step; what was counted goes, since the requests say it again."""
    op.drop_table('maintenance')
    op.drop_column('donors', 'reliability_at')
    op.drop_column('donors', 'kept_left')
    op.drop_column('donors', 'promises_left')
    op.drop_index(op.f('ix_demand_forecasts_forecast_date'), table_name='demand_forecasts')
    op.drop_column('demand_forecasts', 'quantiles')
    op.drop_column('demand_forecasts', 'event_id')
    op.drop_column('demand_forecasts', 'as_of')
    op.execute('DELETE FROM demand_days WHERE imported_requested IS NULL')
    op.execute('UPDATE demand_days SET units_requested = imported_requested, units_fulfilled = imported_fulfilled')
    op.drop_column('demand_days', 'imported_fulfilled')
    op.drop_column('demand_days', 'imported_requested')
    op.drop_column('demand_days', 'n_requests')
