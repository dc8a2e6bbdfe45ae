package tidemark.peer.state;

/** When an event occurred, in microseconds, and which it is: the order of last-writer-wins. */
public record Stamp(long at, EventId id) implements Comparable<Stamp> {
    @Override
    public int compareTo(Stamp other) {
        int byInstant = Long.compare(at, other.at);
        return byInstant != 0 ? byInstant : id.compareTo(other.id);
    }
}
