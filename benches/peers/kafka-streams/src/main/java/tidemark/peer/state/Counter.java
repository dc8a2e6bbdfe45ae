package tidemark.peer.state;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A total, counts by day, and every instant of the last hours. */
final class Counter {
    private long count;
    private long first = Long.MAX_VALUE;
    private long last = Long.MIN_VALUE;
    private final TreeMap<Integer, Integer> days = new TreeMap<>();
    /** Sorted; two events at one instant are two elements. */
    private final List<Long> recent = new ArrayList<>(2);

    void record(long at, int day) {
        count++;
        first = Math.min(first, at);
        last = Math.max(last, at);
        days.merge(day, 1, Integer::sum);
        int place = recent.size();
        while (place > 0 && recent.get(place - 1) > at) {
            place--;
        }
        recent.add(place, at);
    }

    void prune(Kept kept) {
        int old = 0;
        while (old < recent.size() && recent.get(old) < kept.exactFrom()) {
            old++;
        }
        if (old > 0) {
            recent.subList(0, old).clear();
        }
        while (!days.isEmpty() && days.firstKey() < kept.firstDay()) {
            days.pollFirstEntry();
        }
    }

    void encode(long firstSeen, StateWriter writer) {
        writer.unsigned(count);
        writer.unsigned(first - firstSeen);
        writer.unsigned(last - first);
        writer.unsigned(days.size());
        int before = 0;
        for (Map.Entry<Integer, Integer> day : days.entrySet()) {
            writer.signed(day.getKey() - before);
            writer.unsigned(day.getValue());
            before = day.getKey();
        }
        writer.unsigned(recent.size());
        long from = first;
        for (long at : recent) {
            writer.unsigned(at - from);
            from = at;
        }
    }

    static Counter decode(long firstSeen, StateReader reader) {
        Counter counter = new Counter();
        counter.count = reader.unsigned();
        counter.first = firstSeen + reader.unsigned();
        counter.last = counter.first + reader.unsigned();
        int day = 0;
        for (int left = reader.count(); left > 0; left--) {
            day += (int) reader.signed();
            counter.days.put(day, reader.count());
        }
        long at = counter.first;
        for (int left = reader.count(); left > 0; left--) {
            at += reader.unsigned();
            counter.recent.add(at);
        }
        return counter;
    }
}
