-- One audit row per event: operator, action and reason. The tenant of an unreadable event is ''.
insert into tidemark.audit (tenant_id, subject, role, action, target, request_id)
select coalesce(tenant_id, ''), $2, 'operator', $3,
       concat(topic, '/', partition, '@', "offset", ': ' || $4::text), $1::uuid::text
from parked
where topic = $5
  and (partition, "offset") in (select * from unnest($6::int[], $7::bigint[]))
