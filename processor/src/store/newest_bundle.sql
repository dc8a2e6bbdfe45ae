-- The newest record before a version, and the version of the newest that was applied.
select newest.version,
       newest.bundle,
       (
           select max(version)
           from tidemark.bundle
           where version < $1
             and rejected is null
       ) as applied
from tidemark.bundle as newest
where newest.version < $1
order by newest.version desc
limit 1
