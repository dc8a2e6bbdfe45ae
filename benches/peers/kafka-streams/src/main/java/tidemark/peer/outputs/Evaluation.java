package tidemark.peer.outputs;

import java.util.List;
import tidemark.peer.state.CustomerState;
import tidemark.peer.state.Days;
import tidemark.peer.state.Journeys;

/** The evaluation of a customer's state at an instant: the values that segments test. */
public final class Evaluation {
    private final CustomerState state;
    private final Ledger ledger;
    private final int today;
    private int band = EvaluatedState.NO_BAND;
    private long members;

    private Evaluation(CustomerState state, Tenant tenant, long at) {
        this.state = state;
        ledger = new Ledger(state.orders(), tenant);
        today = Days.of(at, tenant.zone());
        if (!ledger.isEmpty()) {
            band = Churn.band(Churn.pAlive(ledger.history(today)));
        }
    }

    /** Returns the evaluated state at an instant (in microseconds), given the previous one. */
    public static EvaluatedState evaluate(
            CustomerState state, Tenant tenant, long at, EvaluatedState before) {
        Evaluation evaluation = new Evaluation(state, tenant, at);
        List<Tenant.Segment> segments = tenant.segments();
        long[] since = new long[segments.size()];
        for (int i = 0; i < since.length; i++) {
            if (segments.get(i).condition().test(evaluation)) {
                evaluation.members |= 1L << i;
                since[i] = before.isMember(i) ? before.since(i) : at;
            }
        }
        EvaluatedState.Position[] positions = new EvaluatedState.Position[tenant.journeys().size()];
        for (int i = 0; i < positions.length; i++) {
            positions[i] = position(state, tenant.journeys().get(i));
        }
        return new EvaluatedState(evaluation.members, since, evaluation.band, positions);
    }

    /** Returns the newest listed stage, since the beginning of its run of entries. */
    private static EvaluatedState.Position position(CustomerState state, Tenant.Journey journey) {
        List<Journeys.Entry> entries = state.journeys().entries(journey.name());
        String stage = null;
        long since = 0;
        for (int i = entries.size() - 1; i >= 0; i--) {
            Journeys.Entry entry = entries.get(i);
            if (!journey.stages().contains(entry.stage())) {
                continue;
            }
            if (stage != null && !stage.equals(entry.stage())) {
                break;
            }
            stage = entry.stage();
            since = entry.stamp().at();
        }
        return stage == null ? null : new EvaluatedState.Position(stage, since);
    }

    /** Returns the number of all orders. */
    public int orders() {
        return ledger.orders();
    }

    /** Returns the number of orders within a number of days, today included. */
    public int ordersWithin(int days) {
        return ledger.ordersFrom(today - (days - 1));
    }

    /** Returns the revenue of all orders, in minor units. */
    public long revenueMinor() {
        return ledger.netMinor();
    }

    /** Returns whether an attribute is an integer of at least {@code bound}. */
    public boolean atLeast(String attribute, long bound) {
        return state.attributes().get(attribute) instanceof Long value && value >= bound;
    }

    public boolean isAtHighRisk() {
        return band == Churn.HIGH;
    }

    /** Returns the membership of a segment evaluated before. */
    public boolean isMember(int segment) {
        return (members & 1L << segment) != 0;
    }
}
