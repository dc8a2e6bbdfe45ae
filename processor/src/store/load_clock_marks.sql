select "offset", clock
from clock_mark
where partition = $1
  and "offset" >= $2
  and "offset" < $3
