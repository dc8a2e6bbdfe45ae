-- The newest record before a version, and the newest of them that was applied.
select max(version) as recorded,
       max(version) filter (where rejected is null) as applied
from tidemark.bundle
where version < $1
