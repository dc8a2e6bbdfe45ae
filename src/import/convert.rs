//! Conversion of one row to one event.

use std::collections::HashMap;
use std::fmt::Display;

use serde_json::{Map, Value, json};
use tidemark_schemas::CustomerEvent;
use uuid::Uuid;

use super::mapping::{InvalidMapping, Kind, Mapping, ValueMapping, WhenEmpty};
use super::numbers::{money, number, whole};
use super::rows::Row;
use super::template::{Template, column};
use super::when::When;

/// The name space of the event ids, which are UUIDs of version 5.
const NAMESPACE: Uuid = Uuid::from_u128(0x7469_6465_6d61_726b_2069_6d70_6f72_7421);

/// The reason why a row is no event: the field and its error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRow(String);

/// Converts rows to events. Identical rows are numbered, so one converter must read a whole file from
/// its beginning.
#[derive(Debug)]
pub struct Converter {
    tenant_id: Template,
    customer_id: Template,
    source: Template,
    payload_type: String,
    when: When,
    payload: Vec<(String, Field)>,
    /// The columns of the identity, in the order of their names.
    identity: Vec<(String, usize)>,
    seen: HashMap<Uuid, u32>,
}

/// The source of a payload's field.
#[derive(Debug)]
enum Field {
    Constant(Value),
    Text(Template),
    Value {
        template: Template,
        mapping: Box<ValueMapping>,
    },
    Table(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl Converter {
    /// Binds a mapping to the columns of a file.
    pub fn new(mapping: &Mapping, columns: &[String]) -> Result<Self, InvalidMapping> {
        let event = &mapping.event;
        let bind = |field: &str, text: &str| {
            let template = Template::bind(field, text, columns)?;
            if template.uses_event_id() {
                return Err(InvalidMapping(format!(
                    "{field}: the event's id depends on it"
                )));
            }
            Ok(template)
        };
        let mut identity: Vec<_> = match &event.identity {
            None => columns.iter().cloned().zip(0..).collect(),
            Some(names) => names
                .iter()
                .map(|name| Ok((name.clone(), column("event.identity", name, columns)?)))
                .collect::<Result<_, InvalidMapping>>()?,
        };
        identity.sort();
        Ok(Self {
            tenant_id: bind("event.tenant_id", &event.tenant_id)?,
            customer_id: bind("event.customer_id", &event.customer_id)?,
            source: bind("event.source", &event.source)?,
            payload_type: event.payload_type.clone(),
            when: When::bind(&event.occurred_at, columns)?,
            payload: bind_table("payload", &mapping.payload, columns)?,
            identity,
            seen: HashMap::new(),
        })
    }

    /// Returns the event of a row.
    pub fn convert(&mut self, row: &Row) -> Result<CustomerEvent, InvalidRow> {
        let fields = &row.fields;
        let tenant = self.tenant_id.render(fields, "");
        let source = self.source.render(fields, "");
        // Numbered before anything can fail: whether another row is valid must not change this id.
        let event_id = self.event_id(&tenant, &source, fields);
        let occurred_at = self
            .when
            .read(fields)
            .map_err(|reason| invalid("occurred_at", reason))?;
        let event = json!({
            "event_id": event_id,
            "tenant_id": tenant,
            "customer_id": self.customer_id.render(fields, ""),
            "source": source,
            "occurred_at": occurred_at,
            "payload": self.payload(fields, &event_id.to_string())?,
        });
        CustomerEvent::from_json(&event.to_string()).map_err(|error| InvalidRow(error.to_string()))
    }

    fn event_id(&mut self, tenant: &str, source: &str, fields: &[String]) -> Uuid {
        let mut name = Vec::new();
        let mut part = |text: &str| {
            // The length before each text keeps texts apart.
            name.extend_from_slice(&(text.len() as u64).to_be_bytes());
            name.extend_from_slice(text.as_bytes());
        };
        part(tenant);
        part(source);
        part(&self.payload_type);
        for (column, index) in &self.identity {
            part(column);
            // With its white space, as in earlier versions: a second import must make the same ids.
            part(fields.get(*index).map_or("", String::as_str));
        }
        let row = Uuid::new_v5(&NAMESPACE, &name);
        let ordinal = self.seen.entry(row).or_insert(0);
        let id = Uuid::new_v5(&row, &ordinal.to_be_bytes());
        *ordinal += 1;
        id
    }

    fn payload(&self, fields: &[String], event_id: &str) -> Result<Value, InvalidRow> {
        let row = Source {
            fields,
            event_id,
            currency: None,
        };
        // The conversion of money needs the currency, wherever the mapping has it.
        let currency = self.payload.iter().find(|(name, _)| name == "currency");
        let code = currency.and_then(|(_, field)| row.value("currency", field).ok().flatten());
        let row = Source {
            currency: code.as_ref().and_then(Value::as_str),
            ..row
        };
        let mut payload = row.table("payload", &self.payload)?;
        payload.insert("type".to_owned(), Value::from(self.payload_type.as_str()));
        Ok(Value::Object(payload))
    }
}

/// The row that values are read from.
#[derive(Clone, Copy)]
struct Source<'a> {
    fields: &'a [String],
    event_id: &'a str,
    currency: Option<&'a str>,
}

impl Source<'_> {
    fn table(
        &self,
        path: &str,
        table: &[(String, Field)],
    ) -> Result<Map<String, Value>, InvalidRow> {
        let mut values = Map::new();
        for (name, field) in table {
            if let Some(value) = self.value(&format!("{path}.{name}"), field)? {
                values.insert(name.clone(), value);
            }
        }
        Ok(values)
    }

    fn value(&self, path: &str, field: &Field) -> Result<Option<Value>, InvalidRow> {
        match field {
            Field::Constant(value) => Ok(Some(value.clone())),
            Field::Text(template) => Ok(Some(Value::from(
                template.render(self.fields, self.event_id),
            ))),
            Field::Value { template, mapping } => {
                let text = template.render(self.fields, self.event_id);
                self.mapped(&text, mapping)
                    .map_err(|reason| invalid(path, reason))
            }
            Field::Table(table) => Ok(Some(Value::Object(self.table(path, table)?))),
            Field::List(list) => {
                let values = list.iter().map(|field| self.value(path, field));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                Ok(Some(Value::Array(values.into_iter().flatten().collect())))
            }
        }
    }

    fn mapped(&self, text: &str, mapping: &ValueMapping) -> Result<Option<Value>, String> {
        let text = text.trim();
        if text.is_empty() && mapping.when_empty != WhenEmpty::Keep {
            return Ok((mapping.when_empty == WhenEmpty::Null).then_some(Value::Null));
        }
        let text = match &mapping.values {
            Some(values) => values
                .get(text)
                .ok_or_else(|| format!("`{text}` is not among the mapping's `values`"))?,
            None => text,
        };
        let value = match mapping.kind {
            Kind::Text => Value::from(text),
            Kind::Integer => Value::from(whole(text, mapping)?),
            Kind::Number => Value::from(number(text, mapping)?),
            Kind::Boolean => Value::from(boolean(text)?),
            Kind::Money => Value::from(money(text, mapping, self.currency)?),
        };
        Ok(Some(value))
    }
}

fn bind_table(
    path: &str,
    table: &toml::Table,
    columns: &[String],
) -> Result<Vec<(String, Field)>, InvalidMapping> {
    table
        .iter()
        .map(|(name, value)| {
            let path = format!("{path}.{name}");
            // Users choose the names in these tables: one may be called `column`.
            let field = match value {
                toml::Value::Table(table) if name == "attributes" || name == "properties" => {
                    Field::Table(bind_table(&path, table, columns)?)
                }
                value => bind_field(&path, value, columns)?,
            };
            Ok((name.clone(), field))
        })
        .collect()
}

fn bind_field(
    path: &str,
    value: &toml::Value,
    columns: &[String],
) -> Result<Field, InvalidMapping> {
    match value {
        toml::Value::String(text) => Ok(Field::Text(Template::bind(path, text, columns)?)),
        toml::Value::Integer(number) => Ok(Field::Constant(Value::from(*number))),
        toml::Value::Float(number) => Ok(Field::Constant(Value::from(*number))),
        toml::Value::Boolean(truth) => Ok(Field::Constant(Value::from(*truth))),
        toml::Value::Datetime(_) => Err(InvalidMapping(format!(
            "{path}: write a date as text, between quotes"
        ))),
        toml::Value::Array(list) => list
            .iter()
            .map(|value| match value {
                toml::Value::Table(table) => Ok(Field::Table(bind_table(path, table, columns)?)),
                value => bind_field(path, value, columns),
            })
            .collect::<Result<_, _>>()
            .map(Field::List),
        toml::Value::Table(table) => {
            let mapping: ValueMapping = table
                .clone()
                .try_into()
                .map_err(|error| InvalidMapping(format!("{path}: {error}")))?;
            mapping.check(path)?;
            let template = match (&mapping.column, &mapping.template) {
                (Some(column), None) => Template::from_column(path, column, columns)?,
                (None, Some(template)) => Template::bind(path, template, columns)?,
                _ => {
                    return Err(InvalidMapping(format!(
                        "{path}: name a `column` or a `template`"
                    )));
                }
            };
            Ok(Field::Value {
                template,
                mapping: Box::new(mapping),
            })
        }
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" => Ok(true),
        "false" | "no" | "n" | "f" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn invalid(field: &str, reason: impl Display) -> InvalidRow {
    InvalidRow(format!("{field}: {reason}"))
}
