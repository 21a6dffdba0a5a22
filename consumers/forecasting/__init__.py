"""Forecasts of demand: a ``forecast-triggered`` is answered by ``demand-forecasted``, one a district and group.

It has no memory: the history is the record's, asked for when it is needed, and ids are derived from the trigger, so
that a trigger that comes again is answered again under the same ids.
"""

from consumers.forecasting.processor import Forecasting

__all__ = ["Forecasting"]
