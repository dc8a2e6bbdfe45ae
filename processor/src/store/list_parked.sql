-- Parked events in the order of the log, a page at a time. The same filter as in count_parked.sql.
select partition, "offset", tenant_id, customer_id, reason, detail, field, key, value, headers,
       appended_at, source, (extract(epoch from parked_at) * 1000000)::bigint as parked_at
from parked
where topic = $1
  and ($2::text is null or tenant_id = $2)
  and ($3::text is null or reason = $3)
  and ($4::text is null or field = $4)
  and ($5::int is null or partition = $5)
  and ($6::bigint is null or "offset" >= $6)
  and ($7::bigint is null or "offset" <= $7)
  and ($8::float8 is null or parked_at <= now() - make_interval(secs => $8))
  and ($9::float8 is null or parked_at >= now() - make_interval(secs => $9))
  and (cardinality($10::int[]) = 0
       or (partition, "offset") in (select * from unnest($10::int[], $11::bigint[])))
  -- Compared as a row, so that a page begins in the index where the one before it ended.
  and (partition, "offset") > ($12, $13)
order by partition, "offset"
limit $14
