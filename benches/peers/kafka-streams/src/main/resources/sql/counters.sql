insert into counter (tenant_id, kind, name, partition, value)
values (?, ?, ?, ?, ?)
on conflict (tenant_id, kind, name, partition) do update set value = excluded.value
