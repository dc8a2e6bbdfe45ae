-- The outcomes of a command so far; null while it waits.
select outcome, reason, min(detail) as detail, count(*) as events
from parked_request
where request = $1
group by outcome, reason
order by outcome nulls last, reason
