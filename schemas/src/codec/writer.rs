//! One writer schema, prepared once for all the events written with it.

use std::io::{self, Read};

use apache_avro::Schema;
use apache_avro::error::Error as AvroError;
use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::schema::{Name, RecordSchema, UuidSchema};
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::schema_equality::{SchemataEq, StructFieldEq};
use apache_avro::types::Value;

use super::{MAX_ALLOCATION_BYTES, schema};
use crate::event::PayloadKind;

/// A writer schema that our schema can read.
pub(super) struct Writer {
    /// Owns the schema; made to expect no header, so that it reads plain data.
    reader: GenericSingleObjectReader,
    /// Our payload for each branch of the writer's union; none for a payload newer than us.
    branches: Vec<Branch>,
    equivalent: bool,
}

/// A record of the writer's payload union.
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) kind: Option<PayloadKind>,
}

/// The reason why a datum could not be read with its own schema.
pub(super) enum Unreadable {
    Truncated,
    Trailing(usize),
    Malformed(Box<AvroError>),
}

impl Writer {
    /// The reason is for people.
    pub(super) fn prepare(text: &str) -> Result<Self, String> {
        let ours = schema();
        let writers = Schema::parse_str(text)
            .map_err(|error| format!("the schema is not Avro: {}", brief(&error)))?;
        check_bounds(&writers, &mut Vec::new())?;
        SchemaCompatibility::can_read(&writers, ours)
            .map_err(|error| format!("{} cannot be read as ours: {error}", name_of(&writers)))?;
        let branches = branches(&writers)?;
        let equivalent = is_equivalent(&writers, ours);
        let reader = GenericSingleObjectReader::builder()
            .schema(with_plain_texts(writers))
            .header(Vec::new())
            .build()
            .map_err(|error| format!("the schema does not resolve: {}", brief(&error)))?;
        Ok(Self {
            reader,
            branches,
            equivalent,
        })
    }

    /// Whether data of this writer has the very layout of ours.
    pub(super) fn is_equivalent(&self) -> bool {
        self.equivalent
    }

    pub(super) fn branch(&self, index: u32) -> Option<&Branch> {
        self.branches.get(usize::try_from(index).ok()?)
    }

    /// Reads the whole datum as a tree.
    pub(super) fn read(&self, datum: &[u8]) -> Result<Value, Unreadable> {
        let mut input = Strict {
            rest: datum,
            ran_out: false,
        };
        let value = self.reader.read_value(&mut input);
        if input.ran_out {
            return Err(Unreadable::Truncated);
        }
        let value = value.map_err(|error| Unreadable::Malformed(Box::new(error)))?;
        if input.rest.is_empty() {
            Ok(value)
        } else {
            Err(Unreadable::Trailing(input.rest.len()))
        }
    }
}

/// Equal names, field order, symbols, branches and logical types: then equal bytes mean equal
/// events. Docs, defaults and aliases do not matter to data that is already written.
fn is_equivalent(writers: &Schema, ours: &Schema) -> bool {
    // The structural comparison knows logical types, which the canonical form leaves out; the
    // canonical form spells out namespaces, which the structural one takes as they were written.
    StructFieldEq {
        include_attributes: false,
    }
    .compare(writers, ours)
        && writers.canonical_form() == ours.canonical_form()
}

/// Reads ids as plain text, as they are on the wire: apache-avro would refuse the whole datum for an
/// invalid UUID, while the reader of the tree names the field.
fn with_plain_texts(mut writers: Schema) -> Schema {
    if let Schema::Record(record) = &mut writers {
        for field in &mut record.fields {
            if matches!(field.schema, Schema::Uuid(UuidSchema::String)) {
                field.schema = Schema::String;
            }
        }
    }
    writers
}

fn branches(writers: &Schema) -> Result<Vec<Branch>, String> {
    let Schema::Record(RecordSchema { fields, .. }) = writers else {
        return Err("the schema is not a record".to_owned());
    };
    let payload = fields.iter().find(|field| field.name == "payload");
    let payload = payload.ok_or("the schema has no payload")?;
    let records = match &payload.schema {
        Schema::Union(union) => union.variants(),
        // A producer of one kind of event may write that record alone.
        one => std::slice::from_ref(one),
    };
    Ok(records
        .iter()
        .map(|record| branch(name_of(record)))
        .collect())
}

/// Finds the payload by the record's name without its namespace, as Avro resolves records.
fn branch(name: &str) -> Branch {
    let kind = PayloadKind::ALL
        .iter()
        .find(|kind| kind.record_name() == name);
    Branch {
        name: name.to_owned(),
        kind: kind.copied(),
    }
}

fn name_of(schema: &Schema) -> &str {
    schema.name().map_or("the schema", Name::name)
}

/// Refuses schemas with which a small datum could ask for unbounded memory or stack.
fn check_bounds<'s>(schema: &'s Schema, path: &mut Vec<&'s Name>) -> Result<(), String> {
    match schema {
        Schema::Record(record) => {
            path.push(&record.name);
            for field in &record.fields {
                check_bounds(&field.schema, path)?;
            }
            path.pop();
            Ok(())
        }
        Schema::Ref { name } if path.iter().any(|outer| outer.name() == name.name()) => {
            Err(format!("{} contains itself", name.name()))
        }
        Schema::Union(union) => union
            .variants()
            .iter()
            .try_for_each(|variant| check_bounds(variant, path)),
        Schema::Map(map) => check_bounds(&map.types, path),
        // Elements of no width would make an array of millions out of a few bytes.
        Schema::Array(array) if matches!(&*array.items, Schema::Null) => {
            Err("an array of nulls is not accepted".to_owned())
        }
        Schema::Array(array) => check_bounds(&array.items, path),
        Schema::Fixed(fixed) if fixed.size > MAX_ALLOCATION_BYTES => {
            Err(format!("{} is of {} bytes", fixed.name.name(), fixed.size))
        }
        _ => Ok(()),
    }
}

/// An error as one short line: apache-avro prints whole values and schemas into some.
pub(super) fn brief(error: &AvroError) -> String {
    const MOST: usize = 240;
    error.to_string().chars().take(MOST).collect()
}

/// Reads from a slice, and never takes its end for a null: apache-avro reads a string, a boolean
/// or a union past the end of input as null, so that a truncated event would pass for a whole one.
struct Strict<'a> {
    rest: &'a [u8],
    ran_out: bool,
}

impl Read for Strict<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some((bytes, rest)) = self.rest.split_at_checked(buffer.len()) else {
            self.ran_out = true;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the value ends too early",
            ));
        };
        buffer.copy_from_slice(bytes);
        self.rest = rest;
        Ok(())
    }
}
