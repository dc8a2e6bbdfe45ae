import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Denies writing to a topic, or allows it again, in place of kafka-acls.sh, which Maven Central lacks. */
public final class DenyWrites {
    public static void main(String[] arguments) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            if (arguments[1].equals("allow")) {
                admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get();
                return;
            }
            var topic = new ResourcePattern(ResourceType.TOPIC, arguments[2], PatternType.LITERAL);
            var anyone = new ResourcePattern(ResourceType.TOPIC, "*", PatternType.LITERAL);
            admin.createAcls(List.of(
                new AclBinding(anyone, entry(AclOperation.ALL, AclPermissionType.ALLOW)),
                new AclBinding(topic, entry(AclOperation.WRITE, AclPermissionType.DENY))
            )).all().get();
        }
    }

    private static AccessControlEntry entry(AclOperation operation, AclPermissionType permission) {
        return new AccessControlEntry("User:*", "*", operation, permission);
    }
}
