package tidemark.peer.outputs;

import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/** What is known of a customer: segments and since when, churn band, where in each journey. */
public final class EvaluatedState {
    public static final int NO_BAND = -1;
    /** Of a customer of whom nothing is known. */
    public static final EvaluatedState NONE = new EvaluatedState(0, new long[0], NO_BAND, new Position[0]);

    /** A stage and since when; null where none was entered. */
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

    /** Since when a member. */
    public long since(int segment) {
        return since[segment];
    }

    /** 0 low, 1 medium, 2 high, or {@link #NO_BAND}. */
    public int band() {
        return band;
    }

    /** The band's name; null without one. */
    public String bandName() {
        return band == NO_BAND ? null : Churn.NAMES[band];
    }

    /** Where the customer stands in a journey; null for nowhere. */
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
