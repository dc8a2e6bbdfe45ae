package tidemark.peer.stream;

import java.util.concurrent.Future;

/** The destination of the rows of one partition. */
interface Sink extends AutoCloseable {
    /** Opens the sink of a partition. */
    interface Factory {
        Sink open(int partition);
    }

    /** Claims the partition and fences earlier owners; returns the offset to write from. */
    long claim();

    /** Begins to write a batch together with the offset, atomically. */
    Future<?> write(Batch batch, long nextOffset);

    /** Waits for the batch that was begun. */
    void await(Future<?> begun);

    @Override
    void close();
}
