select bundle
from tidemark.bundle
where version = $1
