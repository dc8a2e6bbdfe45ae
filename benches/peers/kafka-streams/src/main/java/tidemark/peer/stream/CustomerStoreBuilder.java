package tidemark.peer.stream;

import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Builds {@link CustomerStore}s on RocksDB with a changelog. */
final class CustomerStoreBuilder implements StoreBuilder<CustomerStore> {
    private final StoreBuilder<KeyValueStore<String, byte[]>> inner;
    private final Sink.Factory sinks;
    private final int cachedCustomers;

    CustomerStoreBuilder(String name, Sink.Factory sinks, int cachedCustomers) {
        inner =
                Stores.keyValueStoreBuilder(
                                Stores.persistentKeyValueStore(name),
                                Serdes.String(),
                                Serdes.ByteArray())
                        .withCachingDisabled();
        this.sinks = sinks;
        this.cachedCustomers = cachedCustomers;
    }

    @Override
    public CustomerStore build() {
        return new CustomerStore(inner.build(), sinks, cachedCustomers);
    }

    @Override
    public StoreBuilder<CustomerStore> withCachingEnabled() {
        throw new UnsupportedOperationException("it has a cache of its own");
    }

    @Override
    public StoreBuilder<CustomerStore> withCachingDisabled() {
        return this;
    }

    @Override
    public StoreBuilder<CustomerStore> withLoggingEnabled(Map<String, String> config) {
        inner.withLoggingEnabled(config);
        return this;
    }

    @Override
    public StoreBuilder<CustomerStore> withLoggingDisabled() {
        throw new UnsupportedOperationException("nothing would be left after a crash");
    }

    @Override
    public Map<String, String> logConfig() {
        return inner.logConfig();
    }

    @Override
    public boolean loggingEnabled() {
        return inner.loggingEnabled();
    }

    @Override
    public String name() {
        return inner.name();
    }
}
