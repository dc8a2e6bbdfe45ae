"""Publishes customer events with confluent-kafka and its AvroSerializer.

    producer.py BOOTSTRAP REGISTRY TOPIC SCHEMA TENANT CUSTOMERS

SCHEMA is the file that `tidemark schema` prints. librdkafka's default partitioner works; with
"partitioner": "murmur2_random" each event is in the right partition at once.
"""

import sys
import uuid
from datetime import datetime, timezone

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def payloads(customer):
    """Yields the payloads of one customer, as (record of the union, fields)."""
    yield "ProfileUpdated", {"attributes": {"name": customer, "age": 42, "vip": True, "score": 0.5}}
    yield "OrderPlaced", {"order_id": f"o-{customer}", "amount_minor": 1999, "currency": "EUR",
                          "items": None, "channel": "web"}
    yield "OrderRefunded", {"order_id": f"o-{customer}", "amount_minor": 500, "currency": "EUR"}
    yield "SubscriptionChanged", {"subscription_id": f"s-{customer}", "status": "active",
                                  "plan": "pro", "mrr_minor": 900, "currency": "EUR"}
    yield "StageEntered", {"journey": "purchase", "stage": "viewing"}
    yield "ActivityTracked", {"name": "page_viewed", "properties": {"path": "/prices"}}
    yield "MessageExchanged", {"conversation_id": f"c-{customer}", "channel": "chat",
                               "direction": "inbound", "agent": None, "sentiment": 0.25,
                               "intent": "question", "response_ms": None}


def main(bootstrap, registry, topic, schema, tenant, customers):
    with open(schema, encoding="utf-8") as file:
        serializer = AvroSerializer(SchemaRegistryClient({"url": registry}), file.read())
    producer = Producer({"bootstrap.servers": bootstrap})
    failed = []
    for number in range(int(customers)):
        customer = f"customer-{number}"
        for record, fields in payloads(customer):
            event = {
                "event_id": uuid.uuid4(),
                "tenant_id": tenant,
                "customer_id": customer,
                "source": "python",
                "occurred_at": datetime.now(timezone.utc),
                "payload": (f"tidemark.v1.{record}", fields),
            }
            value = serializer(event, SerializationContext(topic, MessageField.VALUE))
            producer.produce(topic, key=f"{tenant}/{customer}", value=value,
                             on_delivery=lambda error, _: error and failed.append(error))
        producer.poll(0)
    producer.flush()
    if failed:
        sys.exit(f"{len(failed)} events not delivered: {failed[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
