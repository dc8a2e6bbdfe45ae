-- The first record of a format that this binary does not know.
select version, bundle
from tidemark.bundle
where format > $1
order by version
limit 1
