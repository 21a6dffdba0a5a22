"""Forecasts: the one place where forecasters are fitted, and where they are judged on what came later.

What evaluates a forecaster is ``smartblood.registry.forecaster``; what is numbers alone is ``features.forecasting``.
"""
