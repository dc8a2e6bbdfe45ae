select tenant_id, event_id
from tidemark.accepted_late
where version < $1
