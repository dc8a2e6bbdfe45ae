-- The time of the server, not that of the transaction.
select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now
