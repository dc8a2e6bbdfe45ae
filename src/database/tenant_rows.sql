-- The number of a tenant's rows in each table of the generation that offboarding erases.
select name, rows
from (
    select 1, 'customer', count(*) from customer where tenant_id = $1
    union all
    select 2, 'membership', count(*) from membership where tenant_id = $1
    union all
    select 3, 'position', count(*) from position where tenant_id = $1
    union all
    select 4, 'change_set', count(*) from change_set where tenant_id = $1
    union all
    select 5, 'timer', count(*) from timer where tenant_id = $1
    union all
    select 6, 'parked', count(*) from parked where tenant_id = $1
    union all
    select 7, 'parked_request', count(*) from parked_request where tenant_id = $1
    union all
    select 8, 'deferral', count(*) from deferral where tenant_id = $1
    union all
    select 9, 'rollup', count(*) from rollup where tenant_id = $1
    union all
    select 10, 'counter', count(*) from counter where tenant_id = $1
    union all
    select 11, 'digest', count(*) from digest where tenant_id = $1
    union all
    select 12, 'checkpoint', count(*) from checkpoint where tenant_id = $1
    union all
    select 13, 'tracked_leaf', count(*) from tracked_leaf where tenant_id = $1
    union all
    select 14, 'reevaluation', count(*) from reevaluation where tenant_id = $1
    union all
    select 15, 'large_customer', count(*) from large_customer where tenant_id = $1
    union all
    select 16, 'parked_bytes', count(*) from parked_bytes where tenant_id = $1
) as counted (place, name, rows)
where rows > 0
order by place
