package tidemark.peer.stream;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;

/** Records what is written. */
final class FakeSink implements Sink {
    /** The customers, entered segments and offset of a batch. */
    record Written(List<String> customers, List<String> entered, List<String> left, long offset) {}

    final List<Written> written = new ArrayList<>();
    private final long alreadyAt;

    FakeSink(long alreadyAt) {
        this.alreadyAt = alreadyAt;
    }

    @Override
    public long claim() {
        return alreadyAt;
    }

    @Override
    public Future<?> write(Batch batch, long nextOffset) {
        written.add(
                new Written(
                        batch.customers.ids, batch.entered.names, batch.left.names, nextOffset));
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public void await(Future<?> begun) {}

    @Override
    public void close() {}
}
