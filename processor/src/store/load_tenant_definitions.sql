-- Each tenant's newest definitions before a version, if it was not offboarded since.
select version, appended_at, format, definition
from (
    select distinct on (tenant_id)
        tenant_id, coalesce(evaluated_as, version) as version, appended_at, format, definition
    from tidemark.tenant_definition
    where version < $1
    order by tenant_id, tenant_definition.version desc
) as newest
where definition is not null
order by tenant_id
