-- A page of a customer's changes, newest first. All sets of changes of the customer are expanded,
-- found by the index change_customer: some microseconds per set.
select effective_at, seq, step, kind, name, from_value, to_value, cause, cause_event_id,
       definition_version
from change
where tenant_id = $1
  and customer_id = $2
  and kind = any($3)
  and not exists (
    select from unnest($10::text[], $11::text[]) as hidden (kind, name)
    where hidden.kind = change.kind and hidden.name = change.name)
  and (effective_at, seq, step, kind collate "C", name collate "C") < ($4, $5, $6, $7, $8)
order by effective_at desc, seq desc, step desc, kind collate "C" desc, name collate "C" desc
limit $9
