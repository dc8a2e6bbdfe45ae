package tidemark.peer.state;

import java.util.Collections;
import java.util.List;

/** Sorted lists. */
final class Sorted {
    private Sorted() {}

    /** Inserts an element unless it is present; false if it was. New elements are mostly the last. */
    static <T extends Comparable<? super T>> boolean insert(List<T> list, T value) {
        if (list.isEmpty() || list.get(list.size() - 1).compareTo(value) < 0) {
            list.add(value);
            return true;
        }
        int place = Collections.binarySearch(list, value);
        if (place >= 0) {
            return false;
        }
        list.add(-place - 1, value);
        return true;
    }
}
