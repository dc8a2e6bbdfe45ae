-- The layout of a generation's tables: names of tables and columns, and what they hold. A binary
-- reads and writes only generations of its own layout. 1: those made before this column was.
alter table tidemark.generation add column layout_version int not null default 1;
