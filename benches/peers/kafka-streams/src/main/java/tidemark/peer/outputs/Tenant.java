package tidemark.peer.outputs;

import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** A tenant's settings, segments and journeys. */
public record Tenant(
        ZoneId zone,
        String currency,
        Map<String, Rate> rates,
        List<Segment> segments,
        List<Journey> journeys) {
    /** A segment: customers are members while the condition holds. Evaluated in the order of the list. */
    public record Segment(String name, Predicate<Evaluation> condition) {}

    /** A journey with its stages in order. */
    public record Journey(String name, List<String> stages) {}

    /** The exchange rate from a currency to the tenant's. */
    public record Rate(long numerator, long denominator) {}

    /** A currency has no rate. */
    static final class NoRateException extends Exception {
        private static final long serialVersionUID = 1;
        private static final NoRateException INSTANCE = new NoRateException();

        private NoRateException() {
            super("no rate", null, false, false);
        }
    }

    /** Converts to minor units of the tenant's currency, halves rounded away from zero. */
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
