with no_longer_asked_for as (
    delete from tracked_leaf
    using unnest($2::text[], $3::bigint[]) as gone (tenant_id, leaf)
    where tracked_leaf.partition = $1
      and tracked_leaf.tenant_id = gone.tenant_id
      and tracked_leaf.leaf = gone.leaf
)
insert into tracked_leaf (tenant_id, partition, leaf, exact_from)
select tenant_id, $1, leaf, exact_from
from unnest($4::text[], $5::bigint[], $6::bigint[]) as new (tenant_id, leaf, exact_from)
