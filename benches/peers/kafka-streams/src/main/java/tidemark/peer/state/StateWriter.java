package tidemark.peer.state;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Appends values to bytes: varints (signed ones in zigzag form), texts after their length. */
public final class StateWriter {
    private byte[] bytes = new byte[1024];
    private int length;

    /** Clears the bytes, and keeps the memory. */
    public void clear() {
        length = 0;
    }

    public byte[] toBytes() {
        return Arrays.copyOf(bytes, length);
    }

    public void raw(int value) {
        reserve(1);
        bytes[length++] = (byte) value;
    }

    public void unsigned(long value) {
        reserve(10);
        while ((value & ~0x7fL) != 0) {
            bytes[length++] = (byte) (value | 0x80);
            value >>>= 7;
        }
        bytes[length++] = (byte) value;
    }

    public void signed(long value) {
        unsigned((value << 1) ^ (value >> 63));
    }

    public void text(String text) {
        raw(text.getBytes(StandardCharsets.UTF_8), true);
    }

    /** Returns the bytes, after their length or without it. */
    public void raw(byte[] value, boolean withLength) {
        if (withLength) {
            unsigned(value.length);
        }
        reserve(value.length);
        System.arraycopy(value, 0, bytes, length, value.length);
        length += value.length;
    }

    public void id(EventId id) {
        bigEndian(id.high());
        bigEndian(id.low());
    }

    /** Appends the id of a stamp, and its instant as the distance from an earlier one. */
    public void stamp(long from, Stamp stamp) {
        unsigned(stamp.at() - from);
        id(stamp.id());
    }

    public void bigEndian(long value) {
        reserve(8);
        for (int shift = 56; shift >= 0; shift -= 8) {
            bytes[length++] = (byte) (value >>> shift);
        }
    }

    private void reserve(int more) {
        if (bytes.length - length < more) {
            bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, length + more));
        }
    }
}
