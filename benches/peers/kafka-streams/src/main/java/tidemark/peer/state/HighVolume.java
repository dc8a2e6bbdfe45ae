package tidemark.peer.state;

import tidemark.v1.ActivityTracked;
import tidemark.v1.CampaignTouched;
import tidemark.v1.ConversationClosed;
import tidemark.v1.MessageExchanged;

/** Events too many to be remembered for life. */
final class HighVolume {
    private HighVolume() {}

    static boolean is(Object payload) {
        return payload instanceof ActivityTracked
                || payload instanceof MessageExchanged
                || payload instanceof ConversationClosed
                || payload instanceof CampaignTouched;
    }
}
