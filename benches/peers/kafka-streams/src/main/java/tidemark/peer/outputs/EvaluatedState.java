package tidemark.peer.outputs;

import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/** The outputs of a customer: segments with the instants of entry, churn band, positions in journeys. */
public final class EvaluatedState {
    public static final int NO_BAND = -1;
    /** The outputs of a customer without events. */
    public static final EvaluatedState NONE = new EvaluatedState(0, new long[0], NO_BAND, new Position[0]);

    /** A stage and the instant of entry; null if no stage was entered. */
    public record Position(String stage, long since) {}

    private final long members;
    private final long[] since;
    private final int band;
    private final Position[] positions;

    EvaluatedState(long members, long[] since, int band, Position[] positions) {
        this.members = members;
        this.since = since;
        this.band = band;
        this.positions = positions;
    }

    public boolean isMember(int segment) {
        return (members & 1L << segment) != 0;
    }

    /** Returns the instant at which the customer entered a segment. */
    public long since(int segment) {
        return since[segment];
    }

    /** Returns 0 for low, 1 for medium, 2 for high, or {@link #NO_BAND}. */
    public int band() {
        return band;
    }

    /** Returns the name of the band; null without one. */
    public String bandName() {
        return band == NO_BAND ? null : Churn.NAMES[band];
    }

    /** Returns the position in a journey; null without one. */
    public Position position(int journey) {
        return journey < positions.length ? positions[journey] : null;
    }

    public void encode(StateWriter writer) {
        writer.unsigned(members);
        writer.unsigned(since.length);
        for (int i = 0; i < since.length; i++) {
            if (isMember(i)) {
                writer.signed(since[i]);
            }
        }
        writer.raw(band);
        writer.unsigned(positions.length);
        for (Position position : positions) {
            writer.text(position == null ? "" : position.stage());
            writer.signed(position == null ? 0 : position.since());
        }
    }

    public static EvaluatedState decode(StateReader reader) {
        long members = reader.unsigned();
        long[] since = new long[reader.count()];
        for (int i = 0; i < since.length; i++) {
            since[i] = (members & 1L << i) != 0 ? reader.signed() : 0;
        }
        int band = reader.raw();
        Position[] positions = new Position[reader.count()];
        for (int i = 0; i < positions.length; i++) {
            String stage = reader.text();
            long entered = reader.signed();
            positions[i] = stage.isEmpty() ? null : new Position(stage, entered);
        }
        return new EvaluatedState(members, since, band, positions);
    }
}
