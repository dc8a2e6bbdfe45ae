package tidemark.peer.stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static tidemark.peer.Events.START;
import static tidemark.peer.Events.event;
import static tidemark.peer.Events.order;
import static tidemark.peer.Events.profile;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tidemark.v1.CustomerEvent;

class PeerTopologyTest {
    private static final byte[] KEY = "tenant-0/c-1".getBytes(StandardCharsets.UTF_8);

    @TempDir Path folder;

    @Test
    void commitsWriteTheDifferences() throws IOException {
        FakeSink sink = new FakeSink(0);
        try (TopologyTestDriver driver = driver(sink)) {
            publish(driver, bytes(event(1, START, order("a", 100))));
            publish(driver, bytes(event(2, START, profile("seats", 15L))));
            // A duplicate is written too, since the sink cannot tell that it changed nothing.
            publish(driver, bytes(event(2, START, profile("seats", 15L))));
            assertEquals(
                    List.of("buyers1", "lately1", "lately2", "lately3", "lately4", "lately5"),
                    sink.written.get(0).entered().stream().sorted().toList());
            assertEquals(List.of("seats1"), sink.written.get(1).entered());
            assertEquals(List.of(), sink.written.get(2).entered());
            assertEquals(3, sink.written.get(2).offset());
            assertFalse(changes(driver).isEmpty());
        }
    }

    @Test
    void undecodableRecordsAreParkedWhole() {
        FakeSink sink = new FakeSink(0);
        try (TopologyTestDriver driver = driver(sink)) {
            byte[] nonsense = {0, 0, 0, 0, 1, 99};
            publish(driver, nonsense);
            TestRecord<byte[], byte[]> parked = out(driver, "test.parked").get(0);
            assertEquals(List.of(nonsense[5]), List.of(parked.value()[5]));
            assertEquals(
                    "undecodable",
                    new String(
                            parked.headers().lastHeader("reason").value(),
                            StandardCharsets.UTF_8));
            // The position is written nevertheless.
            assertEquals(1, sink.written.get(0).offset());
        }
    }

    @Test
    void commitsThatPostgresHasAreNotWrittenAgain() throws IOException {
        FakeSink sink = new FakeSink(2);
        try (TopologyTestDriver driver = driver(sink)) {
            publish(driver, bytes(event(1, START, order("a", 100))));
            publish(driver, bytes(event(2, START, profile("seats", 15L))));
            assertTrue(sink.written.isEmpty());
            publish(driver, bytes(event(3, START, order("b", 100))));
            assertEquals(List.of("buyers2"), sink.written.get(0).entered());
        }
    }

    private TopologyTestDriver driver(FakeSink sink) {
        Settings settings =
                new Settings("", "", "", "events", "test", folder, 1, 1, 100, 1);
        SchemaRegistry registry =
                new SchemaRegistry("") {
                    @Override
                    Schema schema(int id) {
                        return CustomerEvent.getClassSchema();
                    }
                };
        Properties properties = new Properties();
        properties.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        return new TopologyTestDriver(
                PeerTopology.of(settings, () -> new FoldProcessor(registry, 1), partition -> sink),
                properties);
    }

    private static void publish(TopologyTestDriver driver, byte[] value) {
        TestInputTopic<byte[], byte[]> topic =
                driver.createInputTopic(
                        "events", new ByteArraySerializer(), new ByteArraySerializer());
        topic.pipeInput(KEY, value, START / 1_000);
    }

    private static List<TestRecord<byte[], byte[]>> changes(TopologyTestDriver driver) {
        return out(driver, "test.changes");
    }

    private static List<TestRecord<byte[], byte[]>> out(TopologyTestDriver driver, String topic) {
        return driver.createOutputTopic(
                        topic, new ByteArrayDeserializer(), new ByteArrayDeserializer())
                .readRecordsToList();
    }

    private static byte[] bytes(CustomerEvent event) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(new byte[] {0, 0, 0, 0, 1});
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
        new SpecificDatumWriter<CustomerEvent>(CustomerEvent.getClassSchema())
                .write(event, encoder);
        encoder.flush();
        return bytes.toByteArray();
    }
}
