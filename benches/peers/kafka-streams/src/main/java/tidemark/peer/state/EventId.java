package tidemark.peer.state;

import java.util.UUID;

/** The id of an event: a UUID in the order of its bytes, which is not the order of {@link UUID}. */
public record EventId(long high, long low) implements Comparable<EventId> {
    public static EventId of(UUID id) {
        return new EventId(id.getMostSignificantBits(), id.getLeastSignificantBits());
    }

    @Override
    public int compareTo(EventId other) {
        int byHigh = Long.compareUnsigned(high, other.high);
        return byHigh != 0 ? byHigh : Long.compareUnsigned(low, other.low);
    }
}
