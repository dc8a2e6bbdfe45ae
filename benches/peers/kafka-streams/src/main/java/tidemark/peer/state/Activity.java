package tidemark.peer.state;

import java.util.TreeMap;

/** The number of events of each kind: in total, first, last and by day. */
public final class Activity {
    private final TreeMap<String, Counter> byName = new TreeMap<>();

    /** Counts one event that was not counted before. */
    void record(String name, long at, int day) {
        byName.computeIfAbsent(name, any -> new Counter()).record(at, day);
    }

    void prune(Kept kept) {
        byName.values().forEach(counter -> counter.prune(kept));
    }

    void encode(long first, StateWriter writer) {
        writer.unsigned(byName.size());
        byName.forEach((name, counter) -> {
            writer.text(name);
            counter.encode(first, writer);
        });
    }

    static Activity decode(long first, StateReader reader) {
        Activity activity = new Activity();
        for (int left = reader.count(); left > 0; left--) {
            activity.byName.put(reader.text(), Counter.decode(first, reader));
        }
        return activity;
    }
}
