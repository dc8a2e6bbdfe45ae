package tidemark.peer.stream;

import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;

/** One source, one processor with its store, and sinks for what changed and what is parked. */
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

    /** With another decoder or sink, as tests want it. */
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
