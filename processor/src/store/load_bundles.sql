select version, appended_at, bundle, rejected
from tidemark.bundle
where version > $1
order by version
