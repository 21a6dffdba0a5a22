"""The door to Postgres: nothing else in the project knows SQL.

Tables are in ``tables``, their history in ``migrations``; what one transaction of the recorder writes is drawn in
``sink``.
"""
