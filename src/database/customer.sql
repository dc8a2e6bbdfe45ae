-- One customer at the clock of its partition.
select
    customer.customer_id,
    customer.state,
    customer.tracked,
    customer.evaluated,
    customer.definition_version,
    progress.clock
from customer
left join progress
    on progress.topic = $2
    and progress.partition = customer.partition
where customer.tenant_id = $1
  and customer.customer_id = $3
