package tidemark.peer.stream;

/** The bytes are no event. */
final class UndecodableException extends Exception {
    private static final long serialVersionUID = 1;

    UndecodableException(String reason) {
        super(reason);
    }
}
