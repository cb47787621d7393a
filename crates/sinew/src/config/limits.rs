//! The limits of a file: a base, and what it changes.

use super::{
    error::{ConfigError, Problem},
    written::Text,
};
use crate::Limits;
use std::collections::BTreeMap;
use toml::{Spanned, Table, Value};

/// What stands under `limits`.
pub(super) type Written = BTreeMap<Spanned<String>, Spanned<Value>>;

/// The limits of a table; `None` where it says nothing.
pub(super) fn read(text: Text<'_>, mut given: Written) -> Result<Option<Limits>, ConfigError> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut limits = match given.remove("base") {
        None => Limits::auto(),
        Some(name) => {
            base(name.get_ref()).map_err(|problem| text.wrong(name.span(), "limits.base", problem))?
        }
    };
    for (name, value) in given {
        let changed = change(limits, name.get_ref(), value.into_inner());
        limits = changed
            .map_err(|problem| text.wrong(name.span(), format!("limits.{}", name.get_ref()), problem))?;
    }
    Ok(Some(limits))
}

fn base(name: &Value) -> Result<Limits, Problem> {
    match name.as_str() {
        Some("auto") => Ok(Limits::auto()),
        Some("default") => Ok(Limits::default()),
        _ => Err(Problem::Base(name.clone())),
    }
}

fn change(limits: Limits, name: &str, value: Value) -> Result<Limits, Problem> {
    let mut fields = Table::try_from(limits).expect("the limits of a machine are numbers of TOML");
    match fields.get_mut(name) {
        Some(field) => *field = value,
        None => {
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            return Err(Problem::NoSuchLimit(names.join(", ")));
        }
    }
    fields.try_into().map_err(|error| Problem::Limit(Box::new(error)))
}
