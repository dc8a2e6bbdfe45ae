//! The tables of a generation, held to the layout version.

use std::fs;
use std::path::Path;

use tidemark_projections::LAYOUT_VERSION;

use crate::database::Database;

/// Everything about the tables and views of a generation that a statement can depend on, a line each.
const LAYOUT: &str = "
select format('%s column %s %s%s%s default %s', class.relname, attribute.attname,
              format_type(attribute.atttypid, attribute.atttypmod),
              case when collating.collname = 'default' then '' else ' collate ' || collating.collname end,
              case when attribute.attnotnull then ' not null' else '' end,
              coalesce(pg_get_expr(given.adbin, given.adrelid), 'none'))
from pg_class as class
join pg_attribute as attribute on attribute.attrelid = class.oid
left join pg_collation as collating on collating.oid = attribute.attcollation
left join pg_attrdef as given on given.adrelid = class.oid and given.adnum = attribute.attnum
where class.relnamespace = 'gen_1'::regnamespace
  and class.relkind in ('r', 'v')
  and attribute.attnum > 0
  and not attribute.attisdropped
union all
select format('%s option %s', class.relname, option)
from pg_class as class
cross join unnest(class.reloptions) as option
where class.relnamespace = 'gen_1'::regnamespace
union all
select format('%s constraint %s', conrelid::regclass, pg_get_constraintdef(oid))
from pg_constraint
where connamespace = 'gen_1'::regnamespace
union all
select format('%s index %s', tablename, indexdef)
from pg_indexes
where schemaname = 'gen_1'
order by 1";

#[tokio::test]
async fn tables_of_a_generation_change_only_with_the_layout_version() {
    // Given the tables of a new generation
    let database = Database::ready().await;
    let mut owner = database.admin().await;
    let lines: Vec<String> = sqlx::query_scalar(LAYOUT)
        .fetch_all(&mut owner)
        .await
        .unwrap();
    let layout = lines.join("\n") + "\n";
    // Then they are those that this layout version always had
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/store/layouts")
        .join(format!("{LAYOUT_VERSION}.txt"));
    let Ok(recorded) = fs::read_to_string(&file) else {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, layout).unwrap();
        panic!(
            "layout {LAYOUT_VERSION} was not recorded, and {} is written now: test again",
            file.display()
        );
    };
    assert!(
        recorded == layout,
        "the tables are not those of layout {LAYOUT_VERSION} any more: raise LAYOUT_VERSION, and say in \
         docs/OPERATIONS.md how a database is upgraded\nrecorded:\n{recorded}\nnow:\n{layout}"
    );
}
