package tidemark.peer.state;

/** An event is too far behind the customer's newest to be told from a duplicate. */
public final class LateException extends Exception {
    private static final long serialVersionUID = 1;

    LateException(long horizon) {
        super("older than the dedup horizon, which ends at " + horizon, null, false, false);
    }
}
