package tidemark.peer.stream;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Writes batches to Postgres, each in one transaction behind a fence: its first statement must find
 * this owner's epoch, so that a replaced owner writes nothing.
 */
final class PostgresSink implements Sink {
    private static final Map<String, String> STATEMENTS =
            Map.of(
                    "claim", sql("claim"),
                    "fence", sql("fence"),
                    "customers", sql("customers"),
                    "left", sql("memberships_left"),
                    "entered", sql("memberships_entered"),
                    "positions", sql("positions"),
                    "counters", sql("counters"));

    private final int partition;
    private final Connection connection;
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private long epoch;

    PostgresSink(String url, int partition) {
        this.partition = partition;
        try {
            connection = DriverManager.getConnection(url);
            connection.setAutoCommit(false);
        } catch (SQLException e) {
            throw new IllegalStateException("connecting to Postgres", e);
        }
    }

    /** Creates missing tables. */
    static void createTables(String url) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url);
                var statement = connection.createStatement()) {
            statement.execute(sql("tables"));
        }
    }

    private static String sql(String name) {
        try (InputStream in = PostgresSink.class.getResourceAsStream("/sql/" + name + ".sql")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    @Override
    public long claim() {
        try (PreparedStatement claim = prepare("claim")) {
            claim.setInt(1, partition);
            ResultSet row = claim.executeQuery();
            row.next();
            epoch = row.getLong(1);
            long nextOffset = row.getLong(2);
            connection.commit();
            return nextOffset;
        } catch (SQLException e) {
            throw new IllegalStateException("claiming partition " + partition, e);
        }
    }

    @Override
    public Future<?> write(Batch batch, long nextOffset) {
        return thread.submit(() -> {
            transact(batch, nextOffset);
            return null;
        });
    }

    @Override
    public void await(Future<?> begun) {
        try {
            begun.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("writing to Postgres", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void transact(Batch batch, long nextOffset) throws SQLException {
        try {
            fence(nextOffset);
            customers(batch.customers);
            places("left", batch.left, false, false);
            places("entered", batch.entered, false, true);
            places("positions", batch.moved, true, true);
            counters(batch.sizes);
            connection.commit();
        } catch (SQLException | RuntimeException e) {
            connection.rollback();
            throw e;
        }
    }

    private void fence(long nextOffset) throws SQLException {
        try (PreparedStatement fence = prepare("fence")) {
            fence.setLong(1, nextOffset);
            fence.setInt(2, partition);
            fence.setLong(3, epoch);
            if (fence.executeUpdate() != 1) {
                throw new IllegalStateException("partition " + partition + " has another owner");
            }
        }
    }

    private void customers(Batch.Customers rows) throws SQLException {
        if (rows.ids.isEmpty()) {
            return;
        }
        try (PreparedStatement insert = prepare("customers")) {
            insert.setInt(1, partition);
            array(insert, 2, "text", rows.tenants, new String[0]);
            array(insert, 3, "text", rows.ids, new String[0]);
            array(insert, 4, "bytea", rows.states, new byte[0][]);
            array(insert, 5, "int8", rows.firstSeen, new Long[0]);
            array(insert, 6, "int8", rows.lastSeen, new Long[0]);
            array(insert, 7, "int2", rows.bands, new Short[0]);
            insert.executeUpdate();
        }
    }

    private void places(String name, Batch.Places rows, boolean withStage, boolean withSince)
            throws SQLException {
        if (rows.names.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = prepare(name)) {
            int next = 1;
            array(statement, next++, "text", rows.tenants, new String[0]);
            array(statement, next++, "text", rows.names, new String[0]);
            array(statement, next++, "text", rows.customers, new String[0]);
            if (withStage) {
                array(statement, next++, "text", rows.stages, new String[0]);
            }
            if (withSince) {
                array(statement, next, "int8", rows.since, new Long[0]);
            }
            statement.executeUpdate();
        }
    }

    private void counters(Map<Sizes.Name, Long> sizes) throws SQLException {
        try (PreparedStatement insert = prepare("counters")) {
            for (Map.Entry<Sizes.Name, Long> size : sizes.entrySet()) {
                insert.setString(1, size.getKey().tenantId());
                insert.setString(2, size.getKey().kind());
                insert.setString(3, size.getKey().name());
                insert.setInt(4, partition);
                insert.setLong(5, size.getValue());
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    private PreparedStatement prepare(String name) throws SQLException {
        return connection.prepareStatement(STATEMENTS.get(name));
    }

    /** Returns a column of rows as an array, sent in binary. */
    private <T> void array(
            PreparedStatement statement, int place, String type, Collection<T> rows, T[] like)
            throws SQLException {
        statement.setArray(place, connection.createArrayOf(type, rows.toArray(like)));
    }

    @Override
    public void close() {
        thread.shutdown();
        try {
            connection.close();
        } catch (SQLException e) {
            throw new IllegalStateException("closing the connection", e);
        }
    }
}
