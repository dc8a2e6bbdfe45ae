package tidemark.peer.outputs;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import tidemark.peer.state.Orders;

/**
 * Orders by day, and their revenue in the tenant's currency less refunds. An order with a currency
 * without a rate does not count towards the revenue.
 */
final class Ledger {
    /** A day with an order. */
    private static final class Day {
        final int day;
        int orders;

        Day(int day) {
            this.day = day;
        }
    }

    private final List<Day> days = new ArrayList<>();
    private int orders;
    private long netMinor;

    Ledger(Orders all, Tenant tenant) {
        for (Map.Entry<String, Orders.Placed> entry : all.placed().entrySet()) {
            Orders.Placed order = entry.getValue();
            day(order.day()).orders++;
            orders++;
            netMinor += net(order, all.refundsOf(entry.getKey()), tenant);
        }
    }

    private static long net(
            Orders.Placed order, Collection<Orders.Refund> refunds, Tenant tenant) {
        try {
            long net = tenant.convert(order.amountMinor(), order.currency());
            for (Orders.Refund refund : refunds) {
                net -= tenant.convert(refund.amountMinor(), refund.currency());
            }
            return net;
        } catch (Tenant.NoRateException leftOut) {
            return 0;
        }
    }

    /** Returns a day by its number, inserted in order if it is new. */
    private Day day(int number) {
        int place = days.size();
        while (place > 0 && days.get(place - 1).day > number) {
            place--;
        }
        if (place > 0 && days.get(place - 1).day == number) {
            return days.get(place - 1);
        }
        Day day = new Day(number);
        days.add(place, day);
        return day;
    }

    boolean isEmpty() {
        return days.isEmpty();
    }

    int orders() {
        return orders;
    }

    long netMinor() {
        return netMinor;
    }

    /** Returns the number of orders on a day and later. */
    int ordersFrom(int number) {
        int sum = 0;
        for (int i = days.size() - 1; i >= 0 && days.get(i).day >= number; i--) {
            sum += days.get(i).orders;
        }
        return sum;
    }

    /** Returns the input of the churn model for a customer with purchases. */
    PurchaseHistory history(int today) {
        int first = days.get(0).day;
        int last = days.get(days.size() - 1).day - first;
        return new PurchaseHistory(days.size() - 1, last, Math.max(today - first, last));
    }
}
