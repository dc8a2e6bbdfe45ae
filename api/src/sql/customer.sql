-- One customer, its partition's clock, and the versions of the definitions that apply to it.
select
    customer.state,
    customer.tracked,
    customer.evaluated,
    customer.first_seen_at,
    customer.last_seen_at,
    -- a deferred tenant or customer stands still
    coalesce(
        (
            select min(deferral.clock)
            from deferral
            where deferral.partition = customer.partition
              and deferral.tenant_id = $1
              and deferral.customer_id in ('', $2)
        ),
        progress.clock
    ) as clock,
    -- the version its evaluated state was made with, so that an answer agrees with the lists
    (
        select max(version)
        from tidemark.tenant_definition
        where tenant_id = $1
          and version <= customer.definition_version
          and definition is not null
    ) as definitions,
    -- the newest version: an attribute is masked from the moment it is declared personal
    (
        select max(version)
        from tidemark.tenant_definition
        where tenant_id = $1
          and definition is not null
    ) as newest_definitions
from customer
left join progress
    on progress.topic = $3
    and progress.partition = customer.partition
where customer.tenant_id = $1
  and customer.customer_id = $2
