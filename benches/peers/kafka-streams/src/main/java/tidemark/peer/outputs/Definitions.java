package tidemark.peer.outputs;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The tenants of the bench, as {@code benches/measure} defines them for Tidemark. */
public final class Definitions {
    /** The zone of every tenant's days. */
    public static final ZoneId ZONE = ZoneId.of("Europe/Berlin");

    private static final Tenant TENANT =
            new Tenant(
                    ZONE,
                    "EUR",
                    Map.of("USD", new Tenant.Rate(92, 100)),
                    segments(),
                    List.of(new Tenant.Journey("sales", List.of("lead", "trial", "customer"))));

    private Definitions() {}

    /** Returns the definitions of a tenant; null if it is not defined. */
    public static Tenant find(String tenantId) {
        return tenantId.startsWith("tenant-") ? TENANT : null;
    }

    private static List<Tenant.Segment> segments() {
        List<Tenant.Segment> segments = new ArrayList<>();
        for (int i = 1; i <= 5; i++) {
            int n = i;
            int buyers = segments.size();
            segments.add(new Tenant.Segment("buyers" + n, it -> it.orders() >= n));
            segments.add(new Tenant.Segment("lately" + n, it -> it.ordersWithin(n) >= 1));
            segments.add(new Tenant.Segment("seats" + n, it -> it.atLeast("seats", 10L * n)));
            segments.add(
                    new Tenant.Segment(
                            "drifting" + n, it -> it.isMember(buyers) && it.isAtHighRisk()));
        }
        return List.copyOf(segments);
    }
}
