package tidemark.peer;

import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import tidemark.v1.ActivityTracked;
import tidemark.v1.Channel;
import tidemark.v1.ConversationClosed;
import tidemark.v1.CustomerEvent;
import tidemark.v1.Direction;
import tidemark.v1.MessageExchanged;
import tidemark.v1.OrderPlaced;
import tidemark.v1.OrderRefunded;
import tidemark.v1.Outcome;
import tidemark.v1.ProfileUpdated;
import tidemark.v1.StageEntered;

/** Events for tests. */
public final class Events {
    /** 2026-03-27T00:00:00Z, in microseconds. */
    public static final long START = 1_774_569_600_000_000L;

    public static final long DAY = 86_400_000_000L;

    private Events() {}

    public static CustomerEvent event(long id, long at, Object payload) {
        Instant instant = Instant.ofEpochSecond(at / 1_000_000, at % 1_000_000 * 1_000);
        return new CustomerEvent(new UUID(0, id), "tenant-0", "c-1", "test", instant, payload);
    }

    public static OrderPlaced order(String id, long amountMinor) {
        return new OrderPlaced(id, amountMinor, "EUR", null, null);
    }

    public static OrderRefunded refund(String id, long amountMinor) {
        return new OrderRefunded(id, amountMinor, "EUR");
    }

    public static ProfileUpdated profile(String name, Object value) {
        return new ProfileUpdated(Map.of(name, value));
    }

    public static StageEntered stage(String stage) {
        return new StageEntered("sales", stage);
    }

    public static MessageExchanged message(String agent, long responseMs) {
        return new MessageExchanged(
                "c", Channel.chat, Direction.inbound, agent, -0.0125, "billing", responseMs);
    }

    public static ConversationClosed closed(String agent) {
        return new ConversationClosed("c", Outcome.resolved, agent);
    }

    public static ActivityTracked activity() {
        return new ActivityTracked("page_viewed", Map.of());
    }
}
