package tidemark.peer.stream;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tidemark.peer.outputs.Definitions;
import tidemark.peer.outputs.EvaluatedState;
import tidemark.peer.outputs.Tenant;

/** The rows of one commit, by column: each customer's last state, and the differences. */
final class Batch {
    /** Customers by column. */
    static final class Customers {
        final List<String> tenants;
        final List<String> ids;
        final List<byte[]> states;
        final List<Long> firstSeen;
        final List<Long> lastSeen;
        final List<Short> bands;

        private Customers(int size) {
            tenants = new ArrayList<>(size);
            ids = new ArrayList<>(size);
            states = new ArrayList<>(size);
            firstSeen = new ArrayList<>(size);
            lastSeen = new ArrayList<>(size);
            bands = new ArrayList<>(size);
        }
    }

    /** Rows of tenant, segment or journey, customer, stage (of journeys) and instant of entry. */
    static final class Places {
        final List<String> tenants = new ArrayList<>();
        final List<String> names = new ArrayList<>();
        final List<String> customers = new ArrayList<>();
        final List<String> stages = new ArrayList<>();
        final List<Long> since = new ArrayList<>();

        private void add(Customer customer, String name, String stage, long at) {
            tenants.add(customer.tenantId());
            names.add(name);
            customers.add(customer.customerId());
            stages.add(stage);
            since.add(at);
        }
    }

    final Customers customers;
    final Places left = new Places();
    final Places entered = new Places();
    final Places moved = new Places();
    Map<Sizes.Name, Long> sizes = Map.of();

    Batch(int size) {
        customers = new Customers(size);
    }

    void add(Customer customer, byte[] state) {
        EvaluatedState now = customer.evaluated;
        customers.tenants.add(customer.tenantId());
        customers.ids.add(customer.customerId());
        customers.states.add(state);
        customers.firstSeen.add(customer.state.first());
        customers.lastSeen.add(customer.state.last());
        customers.bands.add(now.band() == EvaluatedState.NO_BAND ? null : (short) now.band());
        addDifferences(customer, customer.written, now);
    }

    private void addDifferences(Customer customer, EvaluatedState before, EvaluatedState now) {
        Tenant tenant = Definitions.find(customer.tenantId());
        for (int i = 0; i < tenant.segments().size(); i++) {
            String segment = tenant.segments().get(i).name();
            boolean was = before.isMember(i);
            if (now.isMember(i) && !(was && before.since(i) == now.since(i))) {
                entered.add(customer, segment, null, now.since(i));
            } else if (was && !now.isMember(i)) {
                left.add(customer, segment, null, 0);
            }
        }
        for (int i = 0; i < tenant.journeys().size(); i++) {
            // A customer never leaves all stages of a journey, so no row is deleted.
            EvaluatedState.Position position = now.position(i);
            if (position != null && !position.equals(before.position(i))) {
                String journey = tenant.journeys().get(i).name();
                moved.add(customer, journey, position.stage(), position.since());
            }
        }
    }

    void sizes(Map<Sizes.Name, Long> changed) {
        sizes = changed;
    }
}
