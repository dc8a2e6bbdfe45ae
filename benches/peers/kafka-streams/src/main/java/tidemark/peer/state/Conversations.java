package tidemark.peer.state;

import java.util.Comparator;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import tidemark.v1.Channel;
import tidemark.v1.ConversationClosed;
import tidemark.v1.Direction;
import tidemark.v1.MessageExchanged;

/** Messages and ends of conversations, per agent, channel and day. */
public final class Conversations {
    /** The agent and the channel; null where unknown. */
    private record Line(String agent, Channel channel) implements Comparable<Line> {
        private static final Comparator<Line> ORDER =
                Comparator.comparing(Line::agent, Comparator.nullsFirst(Comparator.naturalOrder()))
                        .thenComparing(
                                Line::channel, Comparator.nullsFirst(Comparator.naturalOrder()));

        @Override
        public int compareTo(Line other) {
            return ORDER.compare(this, other);
        }
    }

    private final TreeMap<Line, TreeMap<Integer, Tally>> lines = new TreeMap<>();

    private Tally tally(Line line, int day) {
        return lines.computeIfAbsent(line, any -> new TreeMap<>())
                .computeIfAbsent(day, any -> new Tally());
    }

    /** Counts one message that was not counted before. */
    void exchange(MessageExchanged message, int day) {
        Tally tally = tally(new Line(message.getAgent(), message.getChannel()), day);
        tally.message(message.getDirection() == Direction.inbound);
        if (message.getSentiment() != null) {
            tally.sentiment(message.getSentiment());
        }
        if (message.getResponseMs() != null) {
            tally.response(message.getResponseMs());
        }
        if (message.getIntent() != null) {
            tally.intent(message.getIntent());
        }
    }

    /** Counts one end of a conversation that was not counted before. */
    void close(ConversationClosed closed, int day) {
        tally(new Line(closed.getAgent(), null), day).outcome(closed.getOutcome());
    }

    void prune(Kept kept) {
        for (Iterator<TreeMap<Integer, Tally>> each = lines.values().iterator(); each.hasNext(); ) {
            TreeMap<Integer, Tally> days = each.next();
            while (!days.isEmpty() && days.firstKey() < kept.firstDay()) {
                days.pollFirstEntry();
            }
            if (days.isEmpty()) {
                each.remove();
            }
        }
    }

    void encode(StateWriter writer) {
        writer.unsigned(lines.size());
        lines.forEach((line, days) -> {
            writer.unsigned(line.agent() == null ? 0 : 1);
            if (line.agent() != null) {
                writer.text(line.agent());
            }
            writer.unsigned(line.channel() == null ? 0 : line.channel().ordinal() + 1);
            writer.unsigned(days.size());
            int before = 0;
            for (Map.Entry<Integer, Tally> day : days.entrySet()) {
                writer.signed(day.getKey() - before);
                before = day.getKey();
                day.getValue().encode(writer);
            }
        });
    }

    static Conversations decode(StateReader reader) {
        Conversations conversations = new Conversations();
        for (int left = reader.count(); left > 0; left--) {
            String agent = reader.unsigned() == 0 ? null : reader.text();
            int channel = reader.count();
            Line line = new Line(agent, channel == 0 ? null : Channel.values()[channel - 1]);
            TreeMap<Integer, Tally> days = new TreeMap<>();
            int day = 0;
            for (int more = reader.count(); more > 0; more--) {
                day += (int) reader.signed();
                days.put(day, Tally.decode(reader));
            }
            conversations.lines.put(line, days);
        }
        return conversations;
    }
}
