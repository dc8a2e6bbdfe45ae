package tidemark.peer.state;

import java.nio.charset.StandardCharsets;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Orders and their refunds, each in its own currency. An order id that occurs twice is a newer version
 * of the order; a refund may arrive before its order.
 */
public final class Orders {
    /** The newest version of an order, with its day in the tenant's zone. */
    public record Placed(Stamp stamp, int day, long amountMinor, String currency) {}

    /** A refund. */
    public record Refund(long at, long amountMinor, String currency) {}

    private final TreeMap<String, Placed> placed = new TreeMap<>();
    private final TreeMap<String, TreeMap<EventId, Refund>> refunds = new TreeMap<>();

    public Map<String, Placed> placed() {
        return placed;
    }

    public Collection<Refund> refundsOf(String orderId) {
        Map<EventId, Refund> found = refunds.isEmpty() ? null : refunds.get(orderId);
        return found == null ? List.of() : found.values();
    }

    void place(String orderId, long amountMinor, String currency, Stamp stamp, ZoneId zone) {
        Placed held = placed.get(orderId);
        if (held == null || held.stamp().compareTo(stamp) < 0) {
            int day = Days.of(stamp.at(), zone);
            placed.put(orderId, new Placed(stamp, day, amountMinor, currency.intern()));
        }
    }

    void refund(String orderId, long amountMinor, String currency, Stamp stamp) {
        refunds.computeIfAbsent(orderId, id -> new TreeMap<>())
                .putIfAbsent(stamp.id(), new Refund(stamp.at(), amountMinor, currency.intern()));
    }

    /** Encodes each currency once, ascending; amounts have indexes of currencies. */
    void encode(long first, StateWriter writer) {
        List<String> currencies = currencies();
        writer.unsigned(currencies.size());
        for (String code : currencies) {
            writer.raw(code.getBytes(StandardCharsets.US_ASCII), false);
        }
        writer.unsigned(placed.size());
        placed.forEach((orderId, order) -> {
            writer.text(orderId);
            writer.stamp(first, order.stamp());
            writer.signed(order.day() - Days.ofUtc(order.stamp().at()));
            writer.signed(order.amountMinor());
            writer.unsigned(Collections.binarySearch(currencies, order.currency()));
        });
        writer.unsigned(refunds.size());
        refunds.forEach((orderId, byId) -> {
            writer.text(orderId);
            writer.unsigned(byId.size());
            byId.forEach((id, refund) -> {
                writer.id(id);
                writer.unsigned(refund.at() - first);
                writer.signed(refund.amountMinor());
                writer.unsigned(Collections.binarySearch(currencies, refund.currency()));
            });
        });
    }

    private List<String> currencies() {
        TreeSet<String> codes = new TreeSet<>();
        placed.values().forEach(order -> codes.add(order.currency()));
        refunds.values().forEach(byId -> byId.values().forEach(r -> codes.add(r.currency())));
        return new ArrayList<>(codes);
    }

    static Orders decode(long first, StateReader reader) {
        Orders orders = new Orders();
        String[] currencies = new String[reader.count()];
        for (int i = 0; i < currencies.length; i++) {
            currencies[i] = reader.text(3).intern();
        }
        for (int left = reader.count(); left > 0; left--) {
            String orderId = reader.text();
            Stamp stamp = reader.stamp(first);
            int day = Days.ofUtc(stamp.at()) + (int) reader.signed();
            long amount = reader.signed();
            orders.placed.put(orderId, new Placed(stamp, day, amount, currencies[reader.count()]));
        }
        for (int left = reader.count(); left > 0; left--) {
            TreeMap<EventId, Refund> byId = new TreeMap<>();
            orders.refunds.put(reader.text(), byId);
            for (int more = reader.count(); more > 0; more--) {
                EventId id = reader.id();
                long at = first + reader.unsigned();
                byId.put(id, new Refund(at, reader.signed(), currencies[reader.count()]));
            }
        }
        return orders;
    }
}
