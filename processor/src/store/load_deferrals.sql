-- The deferred scopes of a partition.
select tenant_id, customer_id, reason, detail, from_offset, next_offset, clock, fired_to, definitions, evaluation,
       events,
       tracked::text as tracked, redefined_at, binary_version, resume_by
from deferral
where partition = $1
order by tenant_id, customer_id
