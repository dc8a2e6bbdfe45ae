package tidemark.peer.stream;

import java.nio.file.Path;

/** The settings, read from environment variables {@code PEER_…}. */
record Settings(
        String bootstrapServers,
        String registryUrl,
        String databaseUrl,
        String topic,
        String applicationId,
        Path stateFolder,
        int partitions,
        int threads,
        int commitIntervalMillis,
        int cachedCustomers) {

    static Settings fromEnvironment() {
        return new Settings(
                text("BOOTSTRAP_SERVERS"),
                text("REGISTRY_URL"),
                text("DATABASE_URL"),
                text("TOPIC"),
                text("APPLICATION_ID"),
                Path.of(text("STATE_FOLDER")),
                number("PARTITIONS", 4),
                number("THREADS", 2),
                number("COMMIT_INTERVAL_MILLIS", 1_000),
                number("CACHED_CUSTOMERS", 2_000));
    }

    String changesTopic() {
        return applicationId + ".changes";
    }

    String parkedTopic() {
        return applicationId + ".parked";
    }

    private static String text(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) {
            throw new IllegalArgumentException("PEER_" + name + " is not set");
        }
        return value;
    }

    private static int number(String name, int otherwise) {
        String value = System.getenv("PEER_" + name);
        return value == null ? otherwise : Integer.parseInt(value);
    }
}
