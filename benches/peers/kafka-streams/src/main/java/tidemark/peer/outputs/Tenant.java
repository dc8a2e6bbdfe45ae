package tidemark.peer.outputs;

import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** How a tenant's customers are counted, and what its segments and journeys are. */
public record Tenant(
        ZoneId zone,
        String currency,
        Map<String, Rate> rates,
        List<Segment> segments,
        List<Journey> journeys) {
    /** A customer is a member while the condition holds. Looked at in the order of the list. */
    public record Segment(String name, Predicate<Evaluation> condition) {}

    /** Stages in their order. */
    public record Journey(String name, List<String> stages) {}

    /** One unit of a currency is worth so many of the tenant's. */
    public record Rate(long numerator, long denominator) {}

    /** There is no rate for a currency. */
    static final class NoRateException extends Exception {
        private static final long serialVersionUID = 1;
        private static final NoRateException INSTANCE = new NoRateException();

        private NoRateException() {
            super("no rate", null, false, false);
        }
    }

    /** In minor units of the tenant's currency, halves rounded away from zero. */
    long convert(long amountMinor, String from) throws NoRateException {
        if (from.equals(currency)) {
            return amountMinor;
        }
        Rate rate = rates.get(from);
        if (rate == null) {
            throw NoRateException.INSTANCE;
        }
        long product = Math.multiplyExact(amountMinor, rate.numerator());
        long rounded = (Math.abs(product) + rate.denominator() / 2) / rate.denominator();
        return rounded * Long.signum(product);
    }
}
