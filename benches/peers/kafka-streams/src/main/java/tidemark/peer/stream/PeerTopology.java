package tidemark.peer.stream;

import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;

/** The topology: one source, one processor with its store, and sinks for changes and parked events. */
final class PeerTopology {
    static final String STORE = "customers";
    static final String PARKED = "parked";
    static final String CHANGES = "changes";

    private PeerTopology() {}

    static Topology of(Settings settings) {
        SchemaRegistry registry = new SchemaRegistry(settings.registryUrl());
        int partitions = settings.partitions();
        Sink.Factory sinks = partition -> new PostgresSink(settings.databaseUrl(), partition);
        return of(settings, () -> new FoldProcessor(registry, partitions), sinks);
    }

    /** Builds the topology with another decoder or sink, for tests. */
    static Topology of(
            Settings settings,
            ProcessorSupplier<byte[], byte[], byte[], byte[]> fold,
            Sink.Factory sinks) {
        ByteArraySerializer bytes = new ByteArraySerializer();
        return new Topology()
                .addSource(
                        "events",
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer(),
                        settings.topic())
                .addProcessor("fold", fold, "events")
                .addStateStore(
                        new CustomerStoreBuilder(STORE, sinks, settings.cachedCustomers()), "fold")
                .addSink(CHANGES, settings.changesTopic(), bytes, bytes, "fold")
                .addSink(PARKED, settings.parkedTopic(), bytes, bytes, "fold");
    }
}
