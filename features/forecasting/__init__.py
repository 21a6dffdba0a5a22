"""Forecasts as numbers: calendar, what the past says, spread, baselines, figures. No library fits anything here."""
