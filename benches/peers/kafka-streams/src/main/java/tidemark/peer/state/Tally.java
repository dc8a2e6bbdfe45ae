package tidemark.peer.state;

import java.util.Map;
import java.util.TreeMap;
import tidemark.v1.Outcome;

/** The messages of one day. */
final class Tally {
    private int inbound;
    private int outbound;
    private int rated;
    private long sentimentThousandths;
    /** Response times by bucket, four in each power of two. */
    private final TreeMap<Integer, Integer> responses = new TreeMap<>();
    private final TreeMap<String, Integer> intents = new TreeMap<>();
    private final TreeMap<Outcome, Integer> outcomes = new TreeMap<>();

    void message(boolean isInbound) {
        if (isInbound) {
            inbound++;
        } else {
            outbound++;
        }
    }

    /** Adds a sentiment from -1 to 1, in thousandths, halves rounded away from zero. */
    void sentiment(double sentiment) {
        rated++;
        long rounded = Math.round(Math.abs(sentiment * 1_000));
        sentimentThousandths += sentiment < 0 ? -rounded : rounded;
    }

    void response(long millis) {
        responses.merge(bucket(Math.max(millis, 0)), 1, Integer::sum);
    }

    void intent(String intent) {
        intents.merge(intent, 1, Integer::sum);
    }

    void outcome(Outcome outcome) {
        outcomes.merge(outcome, 1, Integer::sum);
    }

    /** Returns the bucket of a value; values below four have their own. */
    private static int bucket(long value) {
        if (value < 4) {
            return (int) value;
        }
        int octave = 63 - Long.numberOfLeadingZeros(value);
        int within = (int) (value >> octave - 2) & 3;
        return (octave - 1) * 4 + within;
    }

    void encode(StateWriter writer) {
        writer.unsigned(inbound);
        writer.unsigned(outbound);
        writer.unsigned(rated);
        writer.signed(sentimentThousandths);
        writer.unsigned(responses.size());
        for (Map.Entry<Integer, Integer> response : responses.entrySet()) {
            writer.raw(response.getKey());
            writer.unsigned(response.getValue());
        }
        writer.unsigned(intents.size());
        for (Map.Entry<String, Integer> intent : intents.entrySet()) {
            writer.text(intent.getKey());
            writer.unsigned(intent.getValue());
        }
        writer.unsigned(outcomes.size());
        for (Map.Entry<Outcome, Integer> outcome : outcomes.entrySet()) {
            writer.unsigned(outcome.getKey().ordinal());
            writer.unsigned(outcome.getValue());
        }
    }

    static Tally decode(StateReader reader) {
        Tally tally = new Tally();
        tally.inbound = reader.count();
        tally.outbound = reader.count();
        tally.rated = reader.count();
        tally.sentimentThousandths = reader.signed();
        for (int left = reader.count(); left > 0; left--) {
            tally.responses.put(reader.raw() & 0xff, reader.count());
        }
        for (int left = reader.count(); left > 0; left--) {
            tally.intents.put(reader.text(), reader.count());
        }
        for (int left = reader.count(); left > 0; left--) {
            tally.outcomes.put(Outcome.values()[reader.count()], reader.count());
        }
        return tally;
    }
}
