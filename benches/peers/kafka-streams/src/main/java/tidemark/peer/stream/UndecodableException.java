package tidemark.peer.stream;

/** Bytes that are no event. */
final class UndecodableException extends Exception {
    private static final long serialVersionUID = 1;

    UndecodableException(String reason) {
        super(reason);
    }
}
