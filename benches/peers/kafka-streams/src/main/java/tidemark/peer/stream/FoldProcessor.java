package tidemark.peer.stream;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import tidemark.peer.outputs.Definitions;
import tidemark.peer.outputs.Evaluation;
import tidemark.peer.outputs.EvaluatedState;
import tidemark.peer.outputs.Tenant;
import tidemark.peer.state.CustomerState;
import tidemark.peer.state.LateException;
import tidemark.v1.CustomerEvent;

/** Folds each event into its customer, evaluates the customer, and forwards the changes. */
final class FoldProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private static final long FUTURE_TOLERANCE_MICROS = 5 * 60 * 1_000_000L;
    private static final Duration CLOCK_INTERVAL = Duration.ofMinutes(1);

    private final EventDecoder decoder;
    private final int partitions;
    private ProcessorContext<byte[], byte[]> context;
    private CustomerStore customers;
    private Changes changes;
    private Midnights midnights;

    FoldProcessor(SchemaRegistry registry, int partitions) {
        decoder = new EventDecoder(registry);
        this.partitions = partitions;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        customers = context.getStateStore(PeerTopology.STORE);
        customers.open();
        changes = new Changes(context);
        midnights = new Midnights();
        context.schedule(CLOCK_INTERVAL, PunctuationType.WALL_CLOCK_TIME, this::checkClock);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        RecordMetadata place = context.recordMetadata().orElseThrow();
        customers.begin(place.offset());
        try {
            CustomerEvent event = decoder.decode(record.value());
            fold(event, record, place.partition());
        } catch (UndecodableException e) {
            park(record, "undecodable", e.getMessage());
        }
        customers.end(place.offset());
    }

    private void fold(CustomerEvent event, Record<byte[], byte[]> record, int partition) {
        String key = event.getTenantId() + "/" + event.getCustomerId();
        Tenant tenant = Definitions.find(event.getTenantId());
        long appendedAt = record.timestamp() * 1_000;
        if (tenant == null) {
            park(record, "unknown_tenant", event.getTenantId());
        } else if (CustomerState.micros(event.getOccurredAt())
                > appendedAt + FUTURE_TOLERANCE_MICROS) {
            park(record, "invalid", "occurred_at is after the append time");
        } else if (expectedPartition(key) != partition) {
            park(record, "misrouted", "the expected partition is " + expectedPartition(key));
        } else {
            Customer customer = customers.get(key);
            try {
                customer.state.fold(event, tenant.zone());
                evaluate(customer, tenant, appendedAt);
            } catch (LateException e) {
                park(record, "late", e.getMessage());
            }
        }
    }

    private int expectedPartition(String key) {
        byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
        return BuiltInPartitioner.partitionForKey(bytes, partitions);
    }

    private void evaluate(Customer customer, Tenant tenant, long at) {
        EvaluatedState now = Evaluation.evaluate(customer.state, tenant, at, customer.evaluated);
        changes.forward(customer, tenant, now, at);
        customer.evaluated = now;
        customers.touch(customer);
    }

    /** Re-evaluates every customer after a midnight, since windows and bands depend on the day. */
    private void checkClock(long nowMillis) {
        long now = nowMillis * 1_000;
        if (!midnights.hasPassed(now)) {
            return;
        }
        customers.forEach(
                customer -> evaluate(customer, Definitions.find(customer.tenantId()), now));
    }

    private void park(Record<byte[], byte[]> record, String reason, String detail) {
        Record<byte[], byte[]> parked = record.withHeaders(record.headers());
        parked.headers().add("reason", reason.getBytes(StandardCharsets.UTF_8));
        parked.headers().add("detail", detail.getBytes(StandardCharsets.UTF_8));
        context.forward(parked, PeerTopology.PARKED);
    }
}
