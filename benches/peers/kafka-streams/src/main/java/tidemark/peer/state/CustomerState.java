package tidemark.peer.state;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.concurrent.TimeUnit;
import tidemark.v1.ActivityTracked;
import tidemark.v1.ConversationClosed;
import tidemark.v1.CustomerErased;
import tidemark.v1.CustomerEvent;
import tidemark.v1.IdentityMerged;
import tidemark.v1.IdentityUnmerged;
import tidemark.v1.MessageExchanged;
import tidemark.v1.OrderPlaced;
import tidemark.v1.OrderRefunded;
import tidemark.v1.ProfileUpdated;
import tidemark.v1.StageEntered;

/**
 * The core state of one customer, a function of the set of its events: it depends neither on their
 * order nor on repetition. The bytes are those that Tidemark stores for the same events, so that the
 * two can be compared.
 */
public final class CustomerState {
    /** The dedup horizon: older events cannot be told from duplicates. */
    private static final long DEDUP_HORIZON = TimeUnit.MICROSECONDS.convert(Duration.ofDays(7));

    private static final int VERSION = 3;

    private boolean empty = true;
    private long first;
    private long last;
    private Identity identity = new Identity();
    private Attributes attributes = new Attributes();
    private Orders orders = new Orders();
    private Journeys journeys = new Journeys();
    private Activity activity = new Activity();
    private Conversations conversations = new Conversations();

    /** Folds one event; a late one changes nothing. */
    public void fold(CustomerEvent event, ZoneId zone) throws LateException {
        long at = micros(event.getOccurredAt());
        Stamp stamp = new Stamp(at, EventId.of(event.getEventId()));
        long horizon = (empty ? at : Math.max(last, at)) - DEDUP_HORIZON;
        fold(event.getPayload(), stamp, horizon, zone);
        first = empty ? at : Math.min(first, at);
        last = empty ? at : Math.max(last, at);
        empty = false;
        identity.prune(horizon);
        attributes.prune(horizon);
        Kept kept = Kept.behind(last);
        activity.prune(kept);
        conversations.prune(kept);
    }

    private void fold(Object payload, Stamp stamp, long horizon, ZoneId zone) throws LateException {
        if (payload instanceof OrderPlaced order) {
            orders.place(
                    order.getOrderId(), order.getAmountMinor(), order.getCurrency(), stamp, zone);
        } else if (payload instanceof OrderRefunded refund) {
            orders.refund(
                    refund.getOrderId(), refund.getAmountMinor(), refund.getCurrency(), stamp);
        } else if (payload instanceof ProfileUpdated update) {
            if (attributes.refuses(update.getAttributes(), stamp, horizon)) {
                throw new LateException(horizon);
            }
            attributes.write(update.getAttributes(), stamp, horizon);
        } else if (payload instanceof StageEntered entered) {
            journeys.enter(entered.getJourney(), entered.getStage(), stamp);
        } else if (payload instanceof ActivityTracked tracked) {
            if (identity.admit(stamp, horizon)) {
                activity.record(tracked.getName(), stamp.at(), Days.of(stamp.at(), zone));
            }
        } else if (payload instanceof MessageExchanged message) {
            if (identity.admit(stamp, horizon)) {
                conversations.exchange(message, Days.of(stamp.at(), zone));
            }
        } else if (payload instanceof ConversationClosed closed) {
            if (identity.admit(stamp, horizon)) {
                conversations.close(closed, Days.of(stamp.at(), zone));
            }
        } else if (payload instanceof IdentityMerged
                || payload instanceof IdentityUnmerged
                || payload instanceof CustomerErased) {
            identity.rememberForLife(stamp.id());
        } else {
            // The bench has no subscriptions, tickets, campaigns, offers and consents.
            throw new IllegalArgumentException("not folded here: " + payload.getClass());
        }
    }

    /** Returns the microseconds since 1970. */
    public static long micros(Instant instant) {
        return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1_000;
    }

    /** Returns the instant of the earliest folded event. */
    public long first() {
        return first;
    }

    /** Returns the instant of the newest folded event. */
    public long last() {
        return last;
    }

    public Attributes attributes() {
        return attributes;
    }

    public Orders orders() {
        return orders;
    }

    public Journeys journeys() {
        return journeys;
    }

    /** Encodes the state canonically: equal states, equal bytes. Instants are distances from the first. */
    public void encode(StateWriter writer) {
        writer.raw(VERSION);
        if (empty) {
            return;
        }
        writer.signed(first);
        writer.unsigned(last - first);
        identity.encode(first, writer);
        attributes.encode(first, writer);
        orders.encode(first, writer);
        journeys.encode(first, writer);
        activity.encode(first, writer);
        conversations.encode(writer);
    }

    public static CustomerState decode(StateReader reader) {
        CustomerState state = new CustomerState();
        int version = reader.raw();
        if (version != VERSION) {
            throw new IllegalArgumentException("a state of version " + version);
        }
        if (reader.isAtEnd()) {
            return state;
        }
        state.empty = false;
        state.first = reader.signed();
        state.last = state.first + reader.unsigned();
        state.identity = Identity.decode(state.first, reader);
        state.attributes = Attributes.decode(state.first, reader);
        state.orders = Orders.decode(state.first, reader);
        state.journeys = Journeys.decode(state.first, reader);
        state.activity = Activity.decode(state.first, reader);
        state.conversations = Conversations.decode(reader);
        return state;
    }
}
