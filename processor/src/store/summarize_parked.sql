-- Parked events by source, reason and day of their append time, newest first, with the first three of
-- each group.
with numbered as (
    select tenant_id, source, reason, partition, "offset", detail,
           coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) as bytes,
           (tidemark.instant(appended_at) at time zone 'UTC')::date::text as day,
           row_number() over (
               partition by tenant_id, source, reason,
                            (tidemark.instant(appended_at) at time zone 'UTC')::date
               order by partition, "offset"
           ) as place
    from parked
    where topic = $1
      and ($2::text is null or tenant_id = $2)
      and ($3::text is null or source = $3)
      and ($4::float8 is null or parked_at >= now() - make_interval(secs => $4))
)
select tenant_id, source, reason, day, count(*) as events, sum(bytes)::bigint as bytes,
       array_agg(partition order by place) filter (where place <= 3) as partitions,
       array_agg("offset" order by place) filter (where place <= 3) as offsets,
       array_agg(detail order by place) filter (where place <= 3) as details
from numbered
group by tenant_id, source, reason, day
order by day desc, events desc, tenant_id, source, reason
