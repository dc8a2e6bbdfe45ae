package tidemark.peer.state;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static tidemark.peer.Events.DAY;
import static tidemark.peer.Events.START;
import static tidemark.peer.Events.activity;
import static tidemark.peer.Events.closed;
import static tidemark.peer.Events.event;
import static tidemark.peer.Events.message;
import static tidemark.peer.Events.order;
import static tidemark.peer.Events.profile;
import static tidemark.peer.Events.refund;
import static tidemark.peer.Events.stage;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tidemark.v1.CustomerEvent;

class CustomerStateTest {
    private static final ZoneId ZONE = ZoneId.of("Europe/Berlin");

    /** The bytes that {@code projections/tests/laws/encoding.rs} pins for the same events. */
    @Test
    void encodedStatesAreThoseOfTidemark() throws LateException {
        String expected =
                "03808099eac5fda60603"
                        + "010300000000000000000000000000000003"
                        + "00"
                        + "010100000000000000000000000000000001"
                        + "0104706c616e0100050370726f"
                        + "01455552"
                        + "01036f2d310000000000000000000000000000000000"
                        + "00c41300"
                        + "00"
                        + "010573616c6573"
                        + "010200000000000000000000000000000002046c656164"
                        + "010b706167655f766965776564"
                        + "010300"
                        + "01f6c00201"
                        + "0100"
                        + "00";
        CustomerState state = new CustomerState();
        state.fold(event(0, START, order("o-1", 1_250)), ZONE);
        state.fold(event(1, START + 1, profile("plan", "pro")), ZONE);
        state.fold(event(2, START + 2, stage("lead")), ZONE);
        state.fold(event(3, START + 3, activity()), ZONE);
        assertEquals(expected, hex(state));
    }

    @Test
    void statesDoNotDependOnOrderAndRepetition() throws LateException {
        List<CustomerEvent> events = someEvents();
        String expected = hex(fold(events));
        Random random = new Random(42);
        for (int round = 0; round < 200; round++) {
            List<CustomerEvent> sent = new ArrayList<>(events);
            sent.addAll(events.subList(0, random.nextInt(events.size())));
            Collections.shuffle(sent, random);
            assertEquals(expected, hex(fold(sent)));
        }
    }

    @Test
    void decodingInvertsEncoding() throws LateException {
        CustomerState state = fold(someEvents());
        StateWriter writer = new StateWriter();
        state.encode(writer);
        assertEquals(hex(state), hex(CustomerState.decode(new StateReader(writer.toBytes()))));
    }

    @Test
    void activitiesBehindTheHorizonAreLateAndChangeNothing() throws LateException {
        CustomerState state = fold(List.of(event(1, START + 8 * DAY, activity())));
        String before = hex(state);
        assertThrows(LateException.class, () -> state.fold(event(2, START, activity()), ZONE));
        assertEquals(before, hex(state));
    }

    /** Events of all kinds within the horizon, so that they are accepted in any order. */
    private static List<CustomerEvent> someEvents() {
        List<CustomerEvent> events = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            long at = START + i % 13 * DAY / 2;
            if (i % 5 == 4) {
                events.add(event(100 + i, at, message("kim", i)));
                events.add(event(200 + i, at, closed(i % 2 == 0 ? "kim" : null)));
            }
            Object payload =
                    switch (i % 6) {
                        case 0 -> order("o-" + i % 4, 100 + i);
                        case 1 -> refund("o-" + i % 4, i);
                        case 2 -> profile("seats", (long) i % 3);
                        case 3 -> stage(i % 4 == 3 ? "lead" : "trial");
                        case 4 -> profile("score", -0.0);
                        default -> activity();
                    };
            events.add(event(i, at, payload));
        }
        return events;
    }

    private static CustomerState fold(List<CustomerEvent> events) throws LateException {
        CustomerState state = new CustomerState();
        for (CustomerEvent event : events) {
            state.fold(event, ZONE);
        }
        return state;
    }

    private static String hex(CustomerState state) {
        StateWriter writer = new StateWriter();
        state.encode(writer);
        return HexFormat.of().formatHex(writer.toBytes());
    }
}
