"""How good each version of each model was lately: what it said of whom was asked, by what came of it."""
