package tidemark.peer.state;

import java.util.ArrayList;
import java.util.List;

/**
 * The identities of folded events: high-volume ones by (instant, id) within the dedup horizon, and
 * consequential ones by id for life, unless an accumulator keeps them.
 */
public final class Identity {
    private final ArrayList<Stamp> recent = new ArrayList<>(4);
    private final List<EventId> forLife = new ArrayList<>(0);

    /** Adds a high-volume event, unless it is late; false for a duplicate. */
    boolean admit(Stamp stamp, long horizon) throws LateException {
        if (stamp.at() < horizon) {
            throw new LateException(horizon);
        }
        return Sorted.insert(recent, stamp);
    }

    boolean rememberForLife(EventId id) {
        return Sorted.insert(forLife, id);
    }

    /** Drops high-volume events older than the horizon. */
    void prune(long horizon) {
        int old = 0;
        while (old < recent.size() && recent.get(old).at() < horizon) {
            old++;
        }
        if (old > 0) {
            recent.subList(0, old).clear();
        }
    }

    void encode(long first, StateWriter writer) {
        writer.unsigned(recent.size());
        long from = first;
        for (Stamp stamp : recent) {
            writer.stamp(from, stamp);
            from = stamp.at();
        }
        writer.unsigned(forLife.size());
        for (EventId id : forLife) {
            writer.id(id);
        }
    }

    static Identity decode(long first, StateReader reader) {
        Identity identity = new Identity();
        long from = first;
        for (int left = reader.count(); left > 0; left--) {
            Stamp stamp = reader.stamp(from);
            from = stamp.at();
            identity.recent.add(stamp);
        }
        for (int left = reader.count(); left > 0; left--) {
            identity.forLife.add(reader.id());
        }
        return identity;
    }
}
