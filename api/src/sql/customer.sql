-- One customer, its partition's clock, and the definitions that matter to it.
select
    customer.state,
    customer.tracked,
    customer.evaluated,
    customer.first_seen_at,
    customer.last_seen_at,
    progress.clock,
    -- those its evaluated state was made with: derived anew with them, everything agrees with the lists
    (
        select max(version)
        from tidemark.tenant_definition
        where tenant_id = $1
          and version <= customer.definition_version
    ) as definitions,
    -- the newest of all: an attribute is hidden from the moment it is declared personal
    (
        select max(version)
        from tidemark.tenant_definition
        where tenant_id = $1
    ) as newest_definitions
from customer
left join progress
    on progress.topic = $3
    and progress.partition = customer.partition
where customer.tenant_id = $1
  and customer.customer_id = $2
