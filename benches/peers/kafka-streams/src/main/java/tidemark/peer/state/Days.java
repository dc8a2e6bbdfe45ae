package tidemark.peer.state;

import java.time.Instant;
import java.time.ZoneId;

/** Calendar days, counted from 1970-01-01. */
public final class Days {
    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final long MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND;

    private Days() {}

    /** Returns the day of an instant (in microseconds) in a zone. */
    public static int of(long at, ZoneId zone) {
        Instant instant = Instant.ofEpochSecond(Math.floorDiv(at, MICROS_PER_SECOND));
        long offset = zone.getRules().getOffset(instant).getTotalSeconds();
        return ofUtc(at + offset * MICROS_PER_SECOND);
    }

    static int ofUtc(long at) {
        return (int) Math.floorDiv(at, MICROS_PER_DAY);
    }
}
