-- Key by key: a join's plan depends on statistics that a growing table does not have.
delete from membership
where ctid = any (array(
    select found.ctid
    from unnest(?::text[], ?::text[], ?::text[]) as has_left (tenant_id, segment, customer_id)
    cross join lateral (
        select ctid
        from membership
        where membership.tenant_id = has_left.tenant_id
          and membership.segment = has_left.segment
          and membership.customer_id = has_left.customer_id
        limit 1
    ) as found
))
