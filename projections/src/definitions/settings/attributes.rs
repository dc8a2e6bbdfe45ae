//! The declarations of a tenant's attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::attribute_type::{AttributeType, DecimalSign, EpochUnit};
use super::super::fields::{self, Fields};
use super::super::problems::{Problems, unknown};
use super::super::source::AttributeDeclaration;
use super::super::tree::Node;

type Attributes = BTreeMap<Arc<str>, AttributeDeclaration>;

/// Reads the declarations by name, if there are any.
pub(super) fn attributes(node: Option<&Node>, problems: &mut Problems) -> Option<Attributes> {
    let Some(node) = node else {
        return Some(Attributes::new());
    };
    let expected = "attributes by name, like { email: { personal: true } }";
    let mut read = Attributes::new();
    let mut sound = true;
    for (key, value) in fields::map(node, expected, problems)? {
        let name = fields::attribute_name(&key.text);
        let name = name
            .map_err(|message| problems.add(&key.place, message))
            .ok();
        let declaration = declaration(value, problems);
        if let (Some(name), Some(declaration)) = (name, declaration) {
            read.insert(name, declaration);
        } else {
            sound = false;
        }
    }
    sound.then_some(read)
}

fn declaration(node: &Node, problems: &mut Problems) -> Option<AttributeDeclaration> {
    let known = ["personal", "type", "decimal", "unit"];
    let fields = Fields::read(node, "an attribute", &known, problems)?;
    let before = problems.0.len();
    let personal = fields.get("personal");
    let personal = personal.map(|node| fields::boolean(node, problems));
    let declared = AttributeDeclaration {
        personal: personal.flatten().unwrap_or_default(),
        kind: choice(&fields, "type", &AttributeType::ALL, problems),
        decimal: choice(&fields, "decimal", &DecimalSign::ALL, problems),
        unit: choice(&fields, "unit", &EpochUnit::ALL, problems),
    };
    if problems.0.len() > before {
        return None;
    }
    let mut refuse = |key: &str, message: &str| {
        let place = fields.get(key).map_or(fields.place(), |node| &node.place);
        problems.add(place, message);
        None
    };
    let kind = declared.kind;
    if declared.decimal.is_some() && kind != Some(AttributeType::Number) {
        return refuse("decimal", "`decimal` is for `type: number`");
    }
    match (declared.unit, kind) {
        (Some(EpochUnit::Days), Some(AttributeType::Instant)) => {
            refuse("unit", "`unit: days` is for `type: date`")
        }
        (Some(_), None | Some(AttributeType::Number | AttributeType::Boolean)) => {
            refuse("unit", "`unit` is for `type: date` and `type: instant`")
        }
        _ => Some(declared),
    }
}

/// Reads one of several words, if the key is there.
fn choice<T: Copy>(
    fields: &Fields<'_>,
    key: &str,
    all: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let node = fields.get(key)?;
    fields::parsed(
        node,
        &format!("the {key} of an attribute"),
        problems,
        |text| {
            let found = all.iter().find(|(name, _)| *name == text);
            let names = all.iter().map(|(name, _)| *name);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| unknown(key, text, names))
        },
    )
}
