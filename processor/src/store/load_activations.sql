select partition, next_offset, version, clock
from activation
order by partition, version
