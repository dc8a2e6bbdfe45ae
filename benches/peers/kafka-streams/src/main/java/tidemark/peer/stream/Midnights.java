package tidemark.peer.stream;

import tidemark.peer.outputs.Definitions;
import tidemark.peer.state.Days;

/** Reports whether a day has begun since the last call. */
final class Midnights {
    private int day = Integer.MIN_VALUE;

    boolean hasPassed(long now) {
        int today = Days.of(now, Definitions.ZONE);
        boolean passed = day != Integer.MIN_VALUE && today > day;
        day = today;
        return passed;
    }
}
