"""Remember which events of requests were taken in, so that a repeat changes nothing whatever it says."""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

# Of what was recorded before this step only the latest of each topic is known, and neither its Kafka timestamp nor its
# partition: when it says it occurred stands in for the first.
REMEMBER_WHAT_IS_RECORDED = """
INSERT INTO request_events (request_id, topic, event_id, timestamp_ms)
SELECT id, 'blood-request-created', request_event_id, floor(extract(epoch FROM requested_at) * 1000)
FROM blood_requests
UNION ALL
SELECT request_id, 'blood-request-closed', event_id, floor(extract(epoch FROM closed_at) * 1000)
FROM request_closings
"""


def upgrade() -> None:
    """Go to this step."""
    # Nobody who still records without remembering gets between this and the commit; who records takes them in this order.
    op.execute('LOCK TABLE request_closings, blood_requests IN SHARE MODE')
    op.create_table('request_events',
    sa.Column('request_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('timestamp_ms', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('partition', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('request_id', 'topic', 'event_id', 'timestamp_ms', name=op.f('pk_request_events'))
    )
    op.execute(REMEMBER_WHAT_IS_RECORDED)


def downgrade() -> None:
    """Go back before this step."""
    op.drop_table('request_events')
