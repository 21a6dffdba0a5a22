"""Keep what came of asking donors, and how good the models were."""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go to this step."""
    op.add_column('match_predictions', sa.Column('answers_within', sa.JSON(none_as_null=True), nullable=True))
    op.add_column('match_predictions', sa.Column('behaviour', sa.LargeBinary(), nullable=True))
    op.add_column('match_predictions', sa.Column('shadow_scores', sa.JSON(none_as_null=True), nullable=True))
    op.add_column('match_waves', sa.Column('required_by', INSTANT, nullable=True))
    op.add_column('match_waves', sa.Column('models', sa.JSON(none_as_null=True), nullable=True))
    op.create_index(op.f('ix_match_waves_created_at'), 'match_waves', ['created_at'], unique=False)
    op.create_table('donor_outcomes',
    sa.Column('donor_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('request_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('answered_at', INSTANT, nullable=True),
    sa.Column('said_yes_at', INSTANT, nullable=True),
    sa.Column('expired_at', INSTANT, nullable=True),
    sa.Column('came_at', INSTANT, nullable=True),
    sa.Column('failed_at', INSTANT, nullable=True),
    sa.Column('gave_at', INSTANT, nullable=True),
    sa.PrimaryKeyConstraint('donor_id', 'request_id', name=op.f('pk_donor_outcomes'))
    )
    op.create_table('stream_times',
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('latest_at', INSTANT, nullable=False),
    sa.PrimaryKeyConstraint('topic', name=op.f('pk_stream_times'))
    )
    op.create_table('model_performance',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('model_name', sa.Text(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=False),
    sa.Column('as_of', INSTANT, nullable=False),
    sa.Column('window_days', sa.Integer(), nullable=False),
    sa.Column('n_requests', sa.BigInteger(), nullable=False),
    sa.Column('n_alerts', sa.BigInteger(), nullable=False),
    sa.Column('n_yes', sa.BigInteger(), nullable=False),
    sa.Column('n_unsettled', sa.BigInteger(), nullable=False),
    sa.Column('expected', sa.Double(), nullable=True),
    sa.Column('observed', sa.Double(), nullable=True),
    sa.Column('observed_to_expected', sa.Double(), nullable=True),
    sa.Column('observed_to_expected_lower', sa.Double(), nullable=True),
    sa.Column('observed_to_expected_upper', sa.Double(), nullable=True),
    sa.Column('ece', sa.Double(), nullable=True),
    sa.Column('ece_by_chance', sa.Double(), nullable=True),
    sa.Column('log_loss', sa.Double(), nullable=True),
    sa.Column('brier', sa.Double(), nullable=True),
    sa.Column('auc', sa.Double(), nullable=True),
    sa.Column('log_loss_saved', sa.Double(), nullable=True),
    sa.Column('log_loss_saved_lower', sa.Double(), nullable=True),
    sa.Column('log_loss_saved_upper', sa.Double(), nullable=True),
    sa.Column('bins', sa.JSON(), nullable=False),
    sa.Column('alarm', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('day', 'model_name', 'version', 'role', 'outcome', name=op.f('pk_model_performance'))
    )
    op.create_table('model_drift',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('model_name', sa.Text(), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('feature', sa.Text(), nullable=False),
    sa.Column('as_of', INSTANT, nullable=False),
    sa.Column('window_days', sa.Integer(), nullable=False),
    sa.Column('n_requests', sa.BigInteger(), nullable=False),
    sa.Column('n_alerts', sa.BigInteger(), nullable=False),
    sa.Column('stability_index', sa.Double(), nullable=False),
    sa.Column('alarm', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('day', 'model_name', 'version', 'role', 'feature', name=op.f('pk_model_drift'))
    )


def downgrade() -> None:
    """Go back before this step."""
    for table in ('model_drift', 'model_performance', 'stream_times', 'donor_outcomes'):
        op.drop_table(table)
    op.drop_index(op.f('ix_match_waves_created_at'), table_name='match_waves')
    for column in ('models', 'required_by'):
        op.drop_column('match_waves', column)
    for column in ('shadow_scores', 'behaviour', 'answers_within'):
        op.drop_column('match_predictions', column)
