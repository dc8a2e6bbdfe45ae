package tidemark.peer.stream;

import java.util.concurrent.Future;

/** Where the rows of one partition go. */
interface Sink extends AutoCloseable {
    /** Opens the sink of a partition. */
    interface Factory {
        Sink open(int partition);
    }

    /** Shuts out every earlier owner of the partition; gives the offset from which on to write. */
    long claim();

    /** Begins to write all of a batch together with the offset, or nothing. */
    Future<?> write(Batch batch, long nextOffset);

    /** Waits for what was begun. */
    void await(Future<?> begun);

    @Override
    void close();
}
