package tidemark.peer.outputs;

/**
 * The purchases of a customer, in days of the tenant's zone.
 *
 * @param repeatDays days with a purchase after the first such day: x
 * @param last from the first purchase to the last: t_x
 * @param age from the first purchase to now: T
 */
record PurchaseHistory(int repeatDays, int last, int age) {}
