package tidemark.peer.stream;

import tidemark.peer.outputs.EvaluatedState;
import tidemark.peer.state.CustomerState;
import tidemark.peer.state.StateReader;
import tidemark.peer.state.StateWriter;

/** A customer in memory: core state, evaluated state, and the evaluated state as last written. */
final class Customer implements Comparable<Customer> {
    final String key;
    final CustomerState state;
    EvaluatedState evaluated;
    EvaluatedState written;
    boolean isNew;
    boolean isTouched;

    private Customer(String key, CustomerState state, EvaluatedState evaluated, boolean isNew) {
        this.key = key;
        this.state = state;
        this.evaluated = evaluated;
        this.written = evaluated;
        this.isNew = isNew;
    }

    static Customer unknown(String key) {
        return new Customer(key, new CustomerState(), EvaluatedState.NONE, true);
    }

    static Customer decode(String key, byte[] bytes) {
        StateReader reader = new StateReader(bytes);
        EvaluatedState evaluated = EvaluatedState.decode(reader);
        return new Customer(key, CustomerState.decode(reader), evaluated, false);
    }

    /** Encodes the customer as the store keeps it: evaluated state, then core state. */
    byte[] encode(byte[] stateBytes, StateWriter writer) {
        writer.clear();
        evaluated.encode(writer);
        writer.raw(stateBytes, false);
        return writer.toBytes();
    }

    /** Returns the tenant: keys are {@code tenant/customer}, and tenants have no slash. */
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
