package tidemark.peer.stream;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.StateStoreContext;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.internals.WrappedStateStore;
import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/**
 * The customers of a partition: objects in front of RocksDB and its changelog, written when Kafka
 * Streams is about to commit, and to Postgres in the same step.
 *
 * <p>Streams' own cache coalesces too, but in bytes: each event would decode and encode its customer.
 * {@link #flushCache} is the one call that Streams makes before it commits.
 *
 * <p>Postgres commits first. If Kafka's transaction then fails, Postgres is ahead: the same events are
 * folded again to the same result, and nothing is written until the offsets are level.
 */
final class CustomerStore
        extends WrappedStateStore<KeyValueStore<String, byte[]>, String, byte[]> {
    /** The key of the sizes and the next offset; no customer has it. */
    private static final String PARTITION_KEY = "/";

    private final int cachedCustomers;
    private final Sink.Factory sinks;
    private final LinkedHashMap<String, Customer> cache = new LinkedHashMap<>(1024, 0.75f, true);
    private final List<Customer> touched = new ArrayList<>();
    private final StateWriter writer = new StateWriter();

    private Sink sink;
    private Sizes sizes;
    /** The offset of the topic before which all events are in memory; -1 before the first. */
    private long nextOffset = -1;
    /** The offset before which all events are in Postgres. */
    private long postgresOffset;
    private boolean isFolding;

    CustomerStore(KeyValueStore<String, byte[]> wrapped, Sink.Factory sinks, int cachedCustomers) {
        super(wrapped);
        this.sinks = sinks;
        this.cachedCustomers = cachedCustomers;
    }

    @Override
    public void init(StateStoreContext context, StateStore root) {
        super.init(context, root);
        sink = sinks.open(context.taskId().partition());
    }

    /** Opens the store after it is restored, before the first event. */
    void open() {
        byte[] kept = wrapped().get(PARTITION_KEY);
        StateReader reader = kept == null ? null : new StateReader(kept);
        long keptOffset = reader == null ? 0 : reader.unsigned();
        sizes = reader == null ? new Sizes() : Sizes.decode(reader);
        postgresOffset = sink.claim();
        if (postgresOffset < keptOffset) {
            throw new IllegalStateException("Postgres has lost commits: load it from the start");
        }
    }

    /** Begins to fold the event at an offset. */
    void begin(long offset) {
        if (offset >= postgresOffset && nextOffset < postgresOffset && !touched.isEmpty()) {
            writeOut(); // Level with Postgres: what differs from here on is for it, too.
        }
        isFolding = true;
    }

    /** Ends folding or parking the event at an offset. */
    void end(long offset) {
        nextOffset = offset + 1;
        isFolding = false;
    }

    Customer get(String key) {
        Customer customer = cache.get(key);
        if (customer == null) {
            byte[] bytes = wrapped().get(key);
            customer = bytes == null ? Customer.unknown(key) : Customer.decode(key, bytes);
            cache.put(key, customer);
        }
        return customer;
    }

    void touch(Customer customer) {
        if (!customer.isTouched) {
            customer.isTouched = true;
            touched.add(customer);
        }
    }

    /** Passes on every customer, in memory or not. */
    void forEach(Consumer<Customer> action) {
        try (KeyValueIterator<String, byte[]> all = wrapped().all()) {
            while (all.hasNext()) {
                String key = all.next().key;
                if (!key.equals(PARTITION_KEY)) {
                    action.accept(get(key));
                }
            }
        }
    }

    /** Called by Streams before it commits, and when it closes after a failure. */
    @Override
    public void flushCache() {
        // A partly folded event is not written: the transaction is aborted and the task restarts.
        if (!isFolding && (!touched.isEmpty() || nextOffset > postgresOffset)) {
            writeOut();
        }
        evict();
    }

    private void writeOut() {
        Collections.sort(touched); // In the order of Postgres' keys: neighbours share pages.
        Batch batch = new Batch(touched.size());
        List<KeyValue<String, byte[]>> entries = new ArrayList<>(touched.size() + 1);
        for (Customer customer : touched) {
            writer.clear();
            customer.state.encode(writer);
            byte[] state = writer.toBytes();
            entries.add(KeyValue.pair(customer.key, customer.encode(state, writer)));
            sizes.move(customer);
            batch.add(customer, state);
            customer.written = customer.evaluated;
            customer.isNew = false;
            customer.isTouched = false;
        }
        touched.clear();
        batch.sizes(sizes.takeChanged());
        // Postgres works on the batch while RocksDB and the changelog are written.
        Future<?> landed = nextOffset > postgresOffset ? sink.write(batch, nextOffset) : null;
        entries.add(KeyValue.pair(PARTITION_KEY, partitionBytes()));
        wrapped().putAll(entries);
        if (landed != null) {
            sink.await(landed);
            postgresOffset = nextOffset;
        }
    }

    private byte[] partitionBytes() {
        writer.clear();
        writer.unsigned(Math.max(nextOffset, 0));
        sizes.encode(writer);
        return writer.toBytes();
    }

    private void evict() {
        Iterator<Map.Entry<String, Customer>> eldest = cache.entrySet().iterator();
        for (int over = cache.size() - cachedCustomers; over > 0; over--) {
            eldest.next();
            eldest.remove();
        }
    }

    @Override
    public void close() {
        cache.clear();
        touched.clear();
        if (sink != null) {
            sink.close();
            sink = null;
        }
        super.close();
    }
}
