"""The door to matplotlib: pictures as files, drawn without a screen."""
