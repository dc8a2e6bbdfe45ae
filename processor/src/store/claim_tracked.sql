select tenant_id, leaf, exact_from
from tracked_leaf
where partition = $1
order by tenant_id, leaf
