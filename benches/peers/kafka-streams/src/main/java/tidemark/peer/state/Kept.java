package tidemark.peer.state;

/**
 * The bounds before which data are in no window of the customer's newest event.
 *
 * @param exactFrom instants before this one
 * @param firstDay days before this one
 */
record Kept(long exactFrom, int firstDay) {
    private static final int DAYS = 400;
    private static final long EXACT_MICROS = 72 * 3_600_000_000L;

    static Kept behind(long newest) {
        return new Kept(newest - EXACT_MICROS, Days.ofUtc(newest) - DAYS - 1);
    }
}
