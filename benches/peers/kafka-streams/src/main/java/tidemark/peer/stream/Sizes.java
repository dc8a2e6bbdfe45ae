package tidemark.peer.stream;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import tidemark.peer.outputs.Definitions;
import tidemark.peer.outputs.EvaluatedState;
import tidemark.peer.outputs.Tenant;
import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/** The numbers of this partition's customers in each segment, stage and band, by tenant. */
final class Sizes {
    /** The name of a count. */
    record Name(String tenantId, String kind, String name) {}

    private final Map<Name, Long> values = new HashMap<>();
    private final Set<Name> changed = new HashSet<>();

    void move(Customer customer) {
        String tenantId = customer.tenantId();
        Tenant tenant = Definitions.find(tenantId);
        EvaluatedState before = customer.written;
        EvaluatedState now = customer.evaluated;
        if (customer.isNew) {
            add(new Name(tenantId, "customers", ""), 1);
        }
        for (int i = 0; i < tenant.segments().size(); i++) {
            if (before.isMember(i) != now.isMember(i)) {
                String name = tenant.segments().get(i).name();
                add(new Name(tenantId, "segment", name), now.isMember(i) ? 1 : -1);
            }
        }
        for (int i = 0; i < tenant.journeys().size(); i++) {
            String journey = tenant.journeys().get(i).name();
            step(tenantId, journey, before.position(i), -1);
            step(tenantId, journey, now.position(i), 1);
        }
        if (before.band() != now.band()) {
            band(tenantId, before, -1);
            band(tenantId, now, 1);
        }
    }

    private void step(String tenantId, String journey, EvaluatedState.Position position, long by) {
        if (position != null) {
            add(new Name(tenantId, "stage", journey + "/" + position.stage()), by);
        }
    }

    private void band(String tenantId, EvaluatedState evaluated, long by) {
        if (evaluated.bandName() != null) {
            add(new Name(tenantId, "band", evaluated.bandName()), by);
        }
    }

    private void add(Name name, long by) {
        values.merge(name, by, Long::sum);
        changed.add(name);
    }

    /** Returns the counts that changed since the last call. */
    Map<Name, Long> takeChanged() {
        Map<Name, Long> now = new HashMap<>();
        changed.forEach(name -> now.put(name, values.get(name)));
        changed.clear();
        return now;
    }

    void encode(StateWriter writer) {
        writer.unsigned(values.size());
        values.forEach((name, value) -> {
            writer.text(name.tenantId());
            writer.text(name.kind());
            writer.text(name.name());
            writer.signed(value);
        });
    }

    static Sizes decode(StateReader reader) {
        Sizes sizes = new Sizes();
        for (int left = reader.count(); left > 0; left--) {
            Name name = new Name(reader.text(), reader.text(), reader.text());
            sizes.values.put(name, reader.signed());
        }
        return sizes;
    }
}
