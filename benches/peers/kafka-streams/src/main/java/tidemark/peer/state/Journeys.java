package tidemark.peer.state;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** The entries of stages in each journey, in order of their instants. */
public final class Journeys {
    /** The entry of a stage. */
    public record Entry(Stamp stamp, String stage) implements Comparable<Entry> {
        @Override
        public int compareTo(Entry other) {
            int byStamp = stamp.compareTo(other.stamp);
            return byStamp != 0 ? byStamp : stage.compareTo(other.stage);
        }
    }

    private final TreeMap<String, List<Entry>> byName = new TreeMap<>();

    public List<Entry> entries(String journey) {
        return byName.getOrDefault(journey, List.of());
    }

    void enter(String journey, String stage, Stamp stamp) {
        Sorted.insert(
                byName.computeIfAbsent(journey, name -> new ArrayList<>(2)),
                new Entry(stamp, stage.intern()));
    }

    void encode(long first, StateWriter writer) {
        writer.unsigned(byName.size());
        byName.forEach((journey, entries) -> {
            writer.text(journey);
            writer.unsigned(entries.size());
            long from = first;
            for (Entry entry : entries) {
                writer.stamp(from, entry.stamp());
                writer.text(entry.stage());
                from = entry.stamp().at();
            }
        });
    }

    static Journeys decode(long first, StateReader reader) {
        Journeys journeys = new Journeys();
        for (int left = reader.count(); left > 0; left--) {
            String journey = reader.text();
            int count = reader.count();
            List<Entry> entries = new ArrayList<>(count + 1);
            long from = first;
            for (int i = 0; i < count; i++) {
                Stamp stamp = reader.stamp(from);
                from = stamp.at();
                entries.add(new Entry(stamp, reader.text()));
            }
            journeys.byName.put(journey, entries);
        }
        return journeys;
    }
}
