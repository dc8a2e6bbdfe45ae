package tidemark.peer.outputs;

/** MBG/NBD in closed form, with the parameters published for the CDNOW sample, in weeks. */
final class Churn {
    static final int LOW = 0;
    static final int MEDIUM = 1;
    static final int HIGH = 2;
    static final String[] NAMES = {"low", "medium", "high"};

    private static final double R = 0.525;
    private static final double ALPHA = 6.183;
    private static final double A = 0.891;
    private static final double B = 1.614;
    private static final double MEDIUM_FROM = 0.4;
    private static final double HIGH_FROM = 0.7;
    private static final double DAYS_PER_WEEK = 7;

    private Churn() {}

    /** Returns P(alive), by {@link StrictMath}, so that every machine gives the same. */
    static double pAlive(PurchaseHistory history) {
        double last = history.last() / DAYS_PER_WEEK;
        double silence = (history.age() / DAYS_PER_WEEK - last) / (ALPHA + last);
        double logOddsOfDeath =
                (R + history.repeatDays()) * StrictMath.log1p(silence)
                        + StrictMath.log(A / (B + history.repeatDays()));
        if (logOddsOfDeath > 0) {
            double inverse = StrictMath.exp(-logOddsOfDeath);
            return inverse / (1 + inverse);
        }
        return 1 / (1 + StrictMath.exp(logOddsOfDeath));
    }

    static int band(double pAlive) {
        double risk = 1 - pAlive;
        return risk >= HIGH_FROM ? HIGH : risk >= MEDIUM_FROM ? MEDIUM : LOW;
    }
}
