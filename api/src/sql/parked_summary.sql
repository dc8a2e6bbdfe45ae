-- A tenant's parked events by source, reason and day of their append time, newest first, with the first
-- three of each group.
with numbered as (
    select source, reason, partition, "offset", field, detail, appended_at,
           (tidemark.instant(appended_at) at time zone 'UTC')::date::text as day,
           row_number() over (
               partition by source, reason, (tidemark.instant(appended_at) at time zone 'UTC')::date
               order by partition, "offset"
           ) as place
    from parked
    where tenant_id = $1
      and topic = $2
      and ($3::text is null or source = $3)
)
select source, reason, day, count(*) as events,
       array_agg(partition order by place) filter (where place <= 3) as partitions,
       array_agg("offset" order by place) filter (where place <= 3) as offsets,
       array_agg(field order by place) filter (where place <= 3) as fields,
       array_agg(detail order by place) filter (where place <= 3) as details
from numbered
group by source, reason, day
order by day desc, events desc, source, reason
limit $4
