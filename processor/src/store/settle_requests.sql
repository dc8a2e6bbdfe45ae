-- The outcomes of operator commands. Key by key, as load_customers.sql says; only the owner of the
-- partition settles these rows.
update parked_request
set outcome    = settled.outcome,
    reason     = settled.reason,
    detail     = settled.detail,
    settled_at = now()
from unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[])
    as settled (request, "offset", outcome, reason, detail)
cross join lateral (
    select ctid
    from parked_request
    where parked_request.request = settled.request
      and parked_request.topic = $1
      and parked_request.partition = $2
      and parked_request."offset" = settled."offset"
    limit 1
) as found
where parked_request.ctid = found.ctid
