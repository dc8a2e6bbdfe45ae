with written as (
    select tenant_id collate "C" as tenant_id, customer_id collate "C" as customer_id, bytes
    from unnest($2::text[], $3::text[], $4::bigint[]) as written (tenant_id, customer_id, bytes)
),
no_longer_large as (
    delete from large_customer
    using written
    where large_customer.tenant_id = written.tenant_id
      and large_customer.customer_id = written.customer_id
      and written.bytes is null
)
insert into large_customer (tenant_id, customer_id, partition, bytes)
select tenant_id, customer_id, $1, bytes
from written
where bytes is not null
on conflict (tenant_id, customer_id) do update set bytes = excluded.bytes
