select exists (select from clock_mark where partition = $1)
