package tidemark.peer.state;

/** The encoding of an attribute's value: null, Boolean, Long, Double or String. */
final class AttributeValues {
    private AttributeValues() {}

    static void encode(Object value, StateWriter writer) {
        if (value == null) {
            writer.raw(0);
        } else if (value instanceof Boolean flag) {
            writer.raw(flag ? 2 : 1);
        } else if (value instanceof Long number) {
            writer.raw(3);
            writer.signed(number);
        } else if (value instanceof Double number) {
            writer.raw(4);
            writer.bigEndian(Long.reverseBytes(Double.doubleToLongBits(number)));
        } else {
            writer.raw(5);
            writer.text((String) value);
        }
    }

    static Object decode(StateReader reader) {
        return switch (reader.raw()) {
            case 0 -> null;
            case 1 -> Boolean.FALSE;
            case 2 -> Boolean.TRUE;
            case 3 -> reader.signed();
            case 4 -> Double.longBitsToDouble(Long.reverseBytes(reader.bigEndian()));
            case 5 -> reader.text();
            default -> throw new IllegalArgumentException("a value of an unknown kind");
        };
    }
}
