package tidemark.peer.state;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Attributes by last-writer-wins on (instant, event id), with the points from which the age of a value
 * follows: all within the dedup horizon, and of the older ones the last, the first of its run of equal
 * values, and the one before that.
 */
public final class Attributes {
    /** A value written at an instant by an event. */
    record Point(Stamp stamp, Object value) implements Comparable<Point> {
        @Override
        public int compareTo(Point other) {
            return stamp.compareTo(other.stamp);
        }
    }

    private final TreeMap<String, List<Point>> byName = new TreeMap<>();
    /** The horizon up to which no point can be dropped. */
    private long pruneAfter = Long.MAX_VALUE;

    /** Returns the current value; null if it was never set or set to null. */
    public Object get(String name) {
        List<Point> points = byName.get(name);
        return points == null ? null : points.get(points.size() - 1).value();
    }

    /** Returns whether one of these writes falls into an older run, with another value. */
    boolean refuses(Map<String, Object> values, Stamp stamp, long horizon) {
        if (stamp.at() >= horizon) {
            return false;
        }
        for (Map.Entry<String, Object> entry : values.entrySet()) {
            List<Point> points = byName.get(entry.getKey());
            if (points != null && splitsARun(points, stamp, entry.getValue(), horizon)) {
                return true;
            }
        }
        return false;
    }

    void write(Map<String, Object> values, Stamp stamp, long horizon) {
        for (Map.Entry<String, Object> entry : values.entrySet()) {
            List<Point> points = byName.computeIfAbsent(entry.getKey(), name -> new ArrayList<>(2));
            Sorted.insert(points, new Point(stamp, canonical(entry.getValue())));
            pruneAfter = Math.min(pruneAfter, prunableAfter(points));
        }
        prune(horizon);
    }

    void prune(long horizon) {
        if (horizon <= pruneAfter) {
            return;
        }
        pruneAfter = Long.MAX_VALUE;
        for (List<Point> points : byName.values()) {
            dropSuperfluous(points, horizon);
            pruneAfter = Math.min(pruneAfter, prunableAfter(points));
        }
    }

    /** Replaces negative zero by positive zero. */
    private static Object canonical(Object value) {
        return value instanceof Double number ? (Object) (number + 0.0) : value;
    }

    private static boolean sameValue(Point left, Point right) {
        return left.value() == null ? right.value() == null : left.value().equals(right.value());
    }

    private static boolean splitsARun(List<Point> points, Stamp stamp, Object value, long horizon) {
        int older = older(points, horizon);
        if (older == 0) {
            return false;
        }
        Point point = new Point(stamp, canonical(value));
        Point end = points.get(older - 1);
        Point start = points.get(runStart(points, older));
        return !sameValue(point, end) && start.compareTo(point) < 0 && point.compareTo(end) < 0;
    }

    /** Returns the number of points before the horizon. */
    private static int older(List<Point> points, long horizon) {
        int older = points.size();
        while (older > 0 && points.get(older - 1).stamp().at() >= horizon) {
            older--;
        }
        return older;
    }

    /** Returns the beginning of the run of equal values that ends before {@code end}. */
    private static int runStart(List<Point> points, int end) {
        int start = end - 1;
        while (start > 0 && sameValue(points.get(start - 1), points.get(end - 1))) {
            start--;
        }
        return start;
    }

    /** Returns the horizon up to which no point can be dropped. */
    private static long prunableAfter(List<Point> points) {
        if (points.size() < 3) {
            return Long.MAX_VALUE;
        }
        Point end = points.get(2);
        boolean needed =
                !sameValue(points.get(0), points.get(1)) && sameValue(points.get(1), end);
        if (!needed) {
            return end.stamp().at();
        }
        return points.size() > 3 ? points.get(3).stamp().at() : Long.MAX_VALUE;
    }

    private static void dropSuperfluous(List<Point> points, long horizon) {
        int older = older(points, horizon);
        if (older < 3) {
            return;
        }
        int end = older - 1;
        int start = runStart(points, older);
        if (start + 1 < end) {
            points.subList(start + 1, end).clear();
        }
        if (start > 1) {
            points.subList(0, start - 1).clear();
        }
    }

    /** Encodes each stamp once (one event often sets many), then points with indexes of stamps. */
    void encode(long first, StateWriter writer) {
        List<Stamp> stamps = new ArrayList<>();
        for (List<Point> points : byName.values()) {
            for (Point point : points) {
                Sorted.insert(stamps, point.stamp());
            }
        }
        writer.unsigned(stamps.size());
        long from = first;
        for (Stamp stamp : stamps) {
            writer.stamp(from, stamp);
            from = stamp.at();
        }
        writer.unsigned(byName.size());
        byName.forEach((name, points) -> {
            writer.text(name);
            writer.unsigned(points.size());
            for (Point point : points) {
                writer.unsigned(Collections.binarySearch(stamps, point.stamp()));
                AttributeValues.encode(point.value(), writer);
            }
        });
    }

    static Attributes decode(long first, StateReader reader) {
        Attributes attributes = new Attributes();
        Stamp[] stamps = new Stamp[reader.count()];
        long from = first;
        for (int i = 0; i < stamps.length; i++) {
            stamps[i] = reader.stamp(from);
            from = stamps[i].at();
        }
        for (int left = reader.count(); left > 0; left--) {
            String name = reader.text();
            int count = reader.count();
            List<Point> points = new ArrayList<>(count + 1);
            for (int i = 0; i < count; i++) {
                points.add(new Point(stamps[reader.count()], AttributeValues.decode(reader)));
            }
            attributes.byName.put(name, points);
            attributes.pruneAfter = Math.min(attributes.pruneAfter, prunableAfter(points));
        }
        return attributes;
    }
}
