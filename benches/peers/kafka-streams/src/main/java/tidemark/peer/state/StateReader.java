package tidemark.peer.state;

import java.nio.charset.StandardCharsets;

/** Reads values from bytes that {@link StateWriter} has written. */
public final class StateReader {
    private final byte[] bytes;
    private int position;

    public StateReader(byte[] bytes) {
        this.bytes = bytes;
    }

    public boolean isAtEnd() {
        return position == bytes.length;
    }

    public int raw() {
        return bytes[position++];
    }

    public long unsigned() {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = bytes[position++];
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return value;
            }
        }
    }

    public int count() {
        return (int) unsigned();
    }

    public long signed() {
        long zigzag = unsigned();
        return (zigzag >>> 1) ^ -(zigzag & 1);
    }

    public String text() {
        return text(count());
    }

    public String text(int length) {
        String text = new String(bytes, position, length, StandardCharsets.UTF_8);
        position += length;
        return text;
    }

    public byte[] raw(int length) {
        byte[] taken = new byte[length];
        System.arraycopy(bytes, position, taken, 0, length);
        position += length;
        return taken;
    }

    public EventId id() {
        return new EventId(bigEndian(), bigEndian());
    }

    public Stamp stamp(long from) {
        return new Stamp(from + unsigned(), id());
    }

    public long bigEndian() {
        long value = 0;
        for (int i = 0; i < 8; i++) {
            value = value << 8 | bytes[position++] & 0xff;
        }
        return value;
    }
}
