package tidemark.peer.stream;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import tidemark.v1.CustomerEvent;

/** Decodes events in the Confluent wire format. For one thread: readers and decoder are reused. */
final class EventDecoder {
    private static final int HEADER = 5;

    private final SchemaRegistry registry;
    private final Map<Integer, SpecificDatumReader<CustomerEvent>> readers = new HashMap<>();
    private BinaryDecoder decoder;

    EventDecoder(SchemaRegistry registry) {
        this.registry = registry;
    }

    CustomerEvent decode(byte[] value) throws UndecodableException {
        if (value == null || value.length < HEADER || value[0] != 0) {
            throw new UndecodableException("not in the wire format of the registry");
        }
        int id = ByteBuffer.wrap(value, 1, 4).getInt();
        try {
            SpecificDatumReader<CustomerEvent> reader = readers.get(id);
            if (reader == null) {
                reader = reader(id);
                readers.put(id, reader);
            }
            decoder =
                    DecoderFactory.get()
                            .binaryDecoder(value, HEADER, value.length - HEADER, decoder);
            CustomerEvent event = reader.read(null, decoder);
            if (!decoder.isEnd()) {
                throw new UndecodableException("bytes are left over");
            }
            return event;
        } catch (IOException | RuntimeException e) {
            throw new UndecodableException(e.toString());
        }
    }

    private SpecificDatumReader<CustomerEvent> reader(int id) throws UndecodableException {
        Schema writer = registry.schema(id);
        return new SpecificDatumReader<>(writer, CustomerEvent.getClassSchema());
    }
}
