package tidemark.peer.outputs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static tidemark.peer.Events.DAY;
import static tidemark.peer.Events.START;
import static tidemark.peer.Events.event;
import static tidemark.peer.Events.order;
import static tidemark.peer.Events.profile;
import static tidemark.peer.Events.stage;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import tidemark.peer.state.CustomerState;
import tidemark.peer.state.LateException;
import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

class EvaluationTest {
    private static final Tenant TENANT = Definitions.find("tenant-0");

    @Test
    void segmentsDependOnOrdersAttributesAndTime() throws LateException {
        CustomerState state = new CustomerState();
        state.fold(event(1, START, order("a", 100)), TENANT.zone());
        state.fold(event(2, START + DAY, order("b", 100)), TENANT.zone());
        state.fold(event(3, START + DAY, profile("seats", 25L)), TENANT.zone());
        EvaluatedState then = evaluate(state, START + DAY, EvaluatedState.NONE);
        assertEquals(
                List.of(
                        "buyers1", "buyers2", "lately1", "lately2", "lately3", "lately4",
                        "lately5", "seats1", "seats2"),
                segments(then));
        // A year later, no purchase is recent, and the customer has likely churned.
        EvaluatedState later = evaluate(state, START + 365 * DAY, then);
        assertEquals(
                List.of("buyers1", "buyers2", "drifting1", "drifting2", "seats1", "seats2"),
                segments(later));
        assertEquals("high", later.bandName());
        assertEquals(then.since(0), later.since(0));
    }

    @Test
    void aPositionBeginsWithItsRunOfEntries() throws LateException {
        CustomerState state = new CustomerState();
        String[] stages = {"lead", "trial", "unlisted", "trial"};
        for (int i = 0; i < stages.length; i++) {
            state.fold(event(i, START + i, stage(stages[i])), TENANT.zone());
        }
        EvaluatedState evaluated = evaluate(state, START + DAY, EvaluatedState.NONE);
        assertEquals(new EvaluatedState.Position("trial", START + 1), evaluated.position(0));
    }

    @Test
    void decodingInvertsEncoding() throws LateException {
        CustomerState state = new CustomerState();
        state.fold(event(1, START, order("a", 100)), TENANT.zone());
        state.fold(event(2, START, stage("lead")), TENANT.zone());
        EvaluatedState evaluated = evaluate(state, START, EvaluatedState.NONE);
        StateWriter writer = new StateWriter();
        evaluated.encode(writer);
        EvaluatedState decoded = EvaluatedState.decode(new StateReader(writer.toBytes()));
        assertEquals(segments(evaluated), segments(decoded));
        assertEquals(evaluated.since(0), decoded.since(0));
        assertEquals(evaluated.position(0), decoded.position(0));
        assertEquals(evaluated.band(), decoded.band());
    }

    private static EvaluatedState evaluate(CustomerState state, long at, EvaluatedState before) {
        return Evaluation.evaluate(state, TENANT, at, before);
    }

    private static List<String> segments(EvaluatedState evaluated) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < TENANT.segments().size(); i++) {
            if (evaluated.isMember(i)) {
                names.add(TENANT.segments().get(i).name());
            }
        }
        names.sort(null);
        return names;
    }
}
