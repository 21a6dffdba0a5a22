"""``python -m smartblood`` is ``smartblood``, where the project isn't installed."""

from smartblood.cli import main

main()
