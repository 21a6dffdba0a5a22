"""The door to Kafka: nothing else in the project knows confluent-kafka.

What happens in one transaction is drawn in ``loop``; names and settings of clients are in ``client``.
"""
