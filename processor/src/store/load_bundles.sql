select version, appended_at, bundle, format, rejected
from tidemark.bundle
order by version
