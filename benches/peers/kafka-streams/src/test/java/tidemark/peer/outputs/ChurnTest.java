package tidemark.peer.outputs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ChurnTest {
    /** The published value for x = 2, t_x = 30.43 weeks, T = 38.86 weeks. */
    @Test
    void pAliveIsThePublishedValue() {
        assertEquals(0.70613, Churn.pAlive(new PurchaseHistory(2, 213, 272)), 2e-4);
        assertEquals(0.38972, Churn.pAlive(new PurchaseHistory(0, 0, 272)), 2e-4);
    }

    @Test
    void bandsBeginAtTheirThresholds() {
        assertEquals(Churn.LOW, Churn.band(0.61));
        assertEquals(Churn.MEDIUM, Churn.band(0.6));
        assertEquals(Churn.HIGH, Churn.band(0.3));
    }
}
