import io.apicurio.registry.serde.SerdeConfig;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes customer events with Kafka's own client and its default partitioner (murmur2).
 *
 * <p>Confluent's serializer is not on Maven Central; with these settings Apicurio's writes the same wire
 * format.
 *
 * <pre>java -cp 'libs/*' Producer.java BOOTSTRAP REGISTRY TOPIC SCHEMA TENANT CUSTOMERS</pre>
 *
 * <p>REGISTRY is Apicurio's own interface (…/apis/registry/v2), SCHEMA the file that `tidemark schema` prints.
 */
public final class Producer {
    private static Schema schema;

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[2];
        schema = new Schema.Parser().parse(Path.of(arguments[3]).toFile());
        String tenant = arguments[4];
        Map<String, Object> settings = Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0],
            ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName(),
            ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, AvroKafkaSerializer.class.getName(),
            SerdeConfig.REGISTRY_URL, arguments[1],
            SerdeConfig.AUTO_REGISTER_ARTIFACT, true,
            // The magic byte and a four-byte id, as in Confluent's wire format.
            SerdeConfig.ENABLE_HEADERS, false,
            SerdeConfig.ENABLE_CONFLUENT_ID_HANDLER, true,
            SerdeConfig.USE_ID, "contentId");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<String, GenericRecord>(settings)) {
            for (int number = 0; number < Integer.parseInt(arguments[5]); number++) {
                String customer = "customer-" + number;
                for (GenericRecord payload : payloads(customer)) {
                    GenericRecord event = new GenericRecordBuilder(schema)
                        .set("event_id", UUID.randomUUID().toString())
                        .set("tenant_id", tenant)
                        .set("customer_id", customer)
                        .set("source", "java")
                        .set("occurred_at", Instant.now().toEpochMilli() * 1000)
                        .set("payload", payload)
                        .build();
                    sent.add(producer.send(new ProducerRecord<>(topic, tenant + "/" + customer, event)));
                }
            }
        }
        for (Future<RecordMetadata> delivery : sent) {
            delivery.get();
        }
    }

    /** What happened to one customer. */
    private static List<GenericRecord> payloads(String customer) {
        return List.of(
            payload("ProfileUpdated", Map.of("attributes", Map.of("name", customer, "age", 42L, "vip", true, "score", 0.5))),
            payload("OrderPlaced", Map.of("order_id", "o-" + customer, "amount_minor", 1999L, "currency", "EUR", "channel", "web")),
            payload("OrderRefunded", Map.of("order_id", "o-" + customer, "amount_minor", 500L, "currency", "EUR")),
            payload("SubscriptionChanged", Map.of("subscription_id", "s-" + customer, "status", word("SubscriptionChanged", "status", "active"), "plan", "pro", "mrr_minor", 900L, "currency", "EUR")),
            payload("StageEntered", Map.of("journey", "purchase", "stage", "viewing")),
            payload("ActivityTracked", Map.of("name", "page_viewed", "properties", Map.of("path", "/prices"))),
            payload("MessageExchanged", Map.of("conversation_id", "c-" + customer, "channel", word("MessageExchanged", "channel", "chat"), "direction", word("MessageExchanged", "direction", "inbound"), "sentiment", 0.25)));
    }

    private static Schema record(String name) {
        List<Schema> union = schema.getField("payload").schema().getTypes();
        return union.get(schema.getField("payload").schema().getIndexNamed("tidemark.v1." + name));
    }

    private static GenericRecord payload(String name, Map<String, Object> fields) {
        GenericRecordBuilder builder = new GenericRecordBuilder(record(name));
        fields.forEach(builder::set);
        return builder.build();
    }

    private static Object word(String name, String field, String word) {
        return new GenericData.EnumSymbol(record(name).getField(field).schema(), word);
    }
}
