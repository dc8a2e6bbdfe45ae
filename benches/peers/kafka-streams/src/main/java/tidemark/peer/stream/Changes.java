package tidemark.peer.stream;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import tidemark.peer.avro.Change;
import tidemark.peer.avro.Kind;
import tidemark.peer.outputs.EvaluatedState;
import tidemark.peer.outputs.Tenant;

/** Sends every change of a discrete output to a topic. */
final class Changes {
    private final ProcessorContext<byte[], byte[]> context;
    private final SpecificDatumWriter<Change> writer =
            new SpecificDatumWriter<>(Change.getClassSchema());
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private BinaryEncoder encoder;

    Changes(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
    }

    void forward(Customer customer, Tenant tenant, EvaluatedState now, long at) {
        EvaluatedState before = customer.evaluated;
        for (int i = 0; i < tenant.segments().size(); i++) {
            if (before.isMember(i) != now.isMember(i)) {
                String name = tenant.segments().get(i).name();
                String from = now.isMember(i) ? null : name;
                String to = now.isMember(i) ? name : null;
                send(customer, Kind.segment, name, from, to, at);
            }
        }
        for (int i = 0; i < tenant.journeys().size(); i++) {
            String from = stage(before.position(i));
            String to = stage(now.position(i));
            if (!Objects.equals(from, to)) {
                send(customer, Kind.stage, tenant.journeys().get(i).name(), from, to, at);
            }
        }
        if (before.band() != now.band()) {
            send(customer, Kind.band, "churn", before.bandName(), now.bandName(), at);
        }
    }

    private static String stage(EvaluatedState.Position position) {
        return position == null ? null : position.stage();
    }

    private void send(Customer customer, Kind kind, String name, String from, String to, long at) {
        Change change =
                new Change(customer.tenantId(), customer.customerId(), kind, name, from, to, at);
        byte[] key = customer.key.getBytes(StandardCharsets.UTF_8);
        context.forward(new Record<>(key, encode(change), at / 1_000), PeerTopology.CHANGES);
    }

    private byte[] encode(Change change) {
        try {
            bytes.reset();
            encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
            writer.write(change, encoder);
            encoder.flush();
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
