package tidemark.peer.stream;

import tidemark.peer.outputs.Standing;
import tidemark.peer.state.CustomerState;
import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/** A customer in memory: state, standing, and the standing as last written out. */
final class Customer implements Comparable<Customer> {
    final String key;
    final CustomerState state;
    Standing standing;
    Standing written;
    boolean isNew;
    boolean isTouched;

    private Customer(String key, CustomerState state, Standing standing, boolean isNew) {
        this.key = key;
        this.state = state;
        this.standing = standing;
        this.written = standing;
        this.isNew = isNew;
    }

    static Customer unknown(String key) {
        return new Customer(key, new CustomerState(), Standing.NONE, true);
    }

    static Customer decode(String key, byte[] bytes) {
        StateReader reader = new StateReader(bytes);
        Standing standing = Standing.decode(reader);
        return new Customer(key, CustomerState.decode(reader), standing, false);
    }

    /** As the store keeps it: the standing, then the bytes of the state. */
    byte[] encode(byte[] stateBytes, StateWriter writer) {
        writer.clear();
        standing.encode(writer);
        writer.raw(stateBytes, false);
        return writer.toBytes();
    }

    /** The tenant: keys are {@code tenant/customer}, and no tenant has a slash. */
    String tenantId() {
        return key.substring(0, key.indexOf('/'));
    }

    String customerId() {
        return key.substring(key.indexOf('/') + 1);
    }

    @Override
    public int compareTo(Customer other) {
        return key.compareTo(other.key);
    }
}
