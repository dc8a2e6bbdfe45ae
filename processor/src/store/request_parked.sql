-- Records an operator command for parked events; the owners of the partitions apply it.
insert into parked_request (
    request, topic, partition, "offset", tenant_id, action, subject, note
)
select $1, topic, partition, "offset", tenant_id, $2, $3, $4
from parked
where topic = $5
  and (partition, "offset") in (select * from unnest($6::int[], $7::bigint[]))
