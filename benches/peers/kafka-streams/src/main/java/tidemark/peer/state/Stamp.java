package tidemark.peer.state;

/** An event's instant (in microseconds) and id: the order of last-writer-wins. */
public record Stamp(long at, EventId id) implements Comparable<Stamp> {
    @Override
    public int compareTo(Stamp other) {
        int byInstant = Long.compare(at, other.at);
        return byInstant != 0 ? byInstant : id.compareTo(other.id);
    }
}
