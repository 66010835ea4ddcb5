//! A small schema language for request bodies, written as constants, and the first way in which a body departs from it.
//!
//! Providers word the same mistake differently, so a check yields a [`Flaw`] and the protocol writes the sentence.

use serde_json::{Map, Value};

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Shape {
    Any,
    Bool,
    Text,
    Integer(i64, i64),
    Number(f64, f64),
    Enum(&'static [&'static str]),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An object whose field names are the client's.
    Map(&'static Shape),
    /// An array with at least so many items.
    Array(usize, &'static Shape),
    /// The first shape whose JSON type fits decides.
    Either(&'static [Shape]),
    /// An object whose fields depend on the value of one of them.
    Tagged(&'static str, &'static [(&'static str, &'static [Field])]),
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
    pub(crate) shape: Shape,
}

/// A field that must be there and not be null.
pub(crate) const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, required: true, nullable: false, shape }
}

/// A field that may be absent, but not null.
pub(crate) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, nullable: false, shape }
}

/// A field that may be absent or null.
pub(crate) const fn nullable(name: &'static str, shape: Shape) -> Field {
    Field { name, required: false, nullable: true, shape }
}

pub(crate) const POSITIVE: Shape = Shape::Integer(1, i64::MAX);

/// One step from the body's root to a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// The first departure from the schema, and where it is.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) path: Vec<Segment>,
    pub(crate) problem: Problem,
}

#[derive(Debug)]
pub(crate) enum Problem {
    /// Fields of the object at `path` that the provider does not know.
    Unknown(Vec<String>),
    Missing,
    Type {
        expected: &'static Shape,
        got: Value,
    },
    NotOneOf {
        allowed: Vec<&'static str>,
        got: Value,
        tag: Option<&'static str>,
    },
    Below {
        expected: &'static Shape,
        least: String,
        got: Value,
    },
    Above {
        expected: &'static Shape,
        most: String,
        got: Value,
    },
    TooFew {
        least: usize,
    },
}

/// Checks a whole body.
pub(crate) fn check(fields: &'static [Field], body: &Map<String, Value>) -> Result<(), Flaw> {
    check_fields(fields, body, None, &mut Vec::new())
}

fn check_fields(fields: &'static [Field], object: &Map<String, Value>, tag: Option<&str>, path: &mut Vec<Segment>) -> Result<(), Flaw> {
    let known = |name: &String| tag == Some(name.as_str()) || fields.iter().any(|field| field.name == name);
    let unknown: Vec<String> = object.keys().filter(|name| !known(name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(Flaw { path: path.clone(), problem: Problem::Unknown(unknown) });
    }
    for field in fields {
        path.push(Segment::Key(field.name.to_owned()));
        match object.get(field.name) {
            None if field.required => return Err(Flaw { path: path.clone(), problem: Problem::Missing }),
            None => {}
            Some(Value::Null) if field.nullable => {}
            Some(value) => check_value(&field.shape, value, path)?,
        }
        path.pop();
    }
    Ok(())
}

fn check_value(shape: &'static Shape, value: &Value, path: &mut Vec<Segment>) -> Result<(), Flaw> {
    let flaw = |problem| Err(Flaw { path: path.clone(), problem });
    if !shape.fits(value) {
        return flaw(Problem::Type { expected: shape, got: value.clone() });
    }
    match (shape, value) {
        (Shape::Integer(least, _), _) if value.as_i64().is_some_and(|n| n < *least) => {
            flaw(Problem::Below { expected: shape, least: least.to_string(), got: value.clone() })
        }
        (Shape::Integer(_, most), _) if value.as_i64().is_none_or(|n| n > *most) => {
            flaw(Problem::Above { expected: shape, most: most.to_string(), got: value.clone() })
        }
        (Shape::Number(least, _), _) if value.as_f64().is_some_and(|n| n < *least) => {
            flaw(Problem::Below { expected: shape, least: least.to_string(), got: value.clone() })
        }
        (Shape::Number(_, most), _) if value.as_f64().is_some_and(|n| n > *most) => {
            flaw(Problem::Above { expected: shape, most: most.to_string(), got: value.clone() })
        }
        (Shape::Enum(allowed), Value::String(text)) if !allowed.contains(&text.as_str()) => {
            flaw(Problem::NotOneOf { allowed: allowed.to_vec(), got: value.clone(), tag: None })
        }
        (Shape::Object(fields), Value::Object(object)) => check_fields(fields, object, None, path),
        (Shape::Map(inner), Value::Object(object)) => object.iter().try_for_each(|(name, value)| {
            path.push(Segment::Key(name.clone()));
            check_value(inner, value, path)?;
            path.pop();
            Ok(())
        }),
        (Shape::Array(least, _), Value::Array(items)) if items.len() < *least => flaw(Problem::TooFew { least: *least }),
        (Shape::Array(_, inner), Value::Array(items)) => items.iter().enumerate().try_for_each(|(index, item)| {
            path.push(Segment::Index(index));
            check_value(inner, item, path)?;
            path.pop();
            Ok(())
        }),
        (Shape::Either(shapes), _) => shapes.iter().find(|shape| shape.fits(value)).map_or(Ok(()), |shape| check_value(shape, value, path)),
        (Shape::Tagged(tag, variants), Value::Object(object)) => check_tagged(tag, variants, object, path),
        _ => Ok(()),
    }
}

fn check_tagged(
    tag: &'static str,
    variants: &'static [(&'static str, &'static [Field])],
    object: &Map<String, Value>,
    path: &mut Vec<Segment>,
) -> Result<(), Flaw> {
    let at_tag = |path: &[Segment], problem| {
        let mut path = path.to_vec();
        path.push(Segment::Key(tag.to_owned()));
        Err(Flaw { path, problem })
    };
    match object.get(tag) {
        None => at_tag(path, Problem::Missing),
        Some(Value::String(name)) => match variants.iter().find(|(variant, _)| variant == name) {
            Some((_, fields)) => check_fields(fields, object, Some(tag), path),
            None => {
                let allowed = variants.iter().map(|(variant, _)| *variant).collect();
                at_tag(path, Problem::NotOneOf { allowed, got: Value::String(name.clone()), tag: Some(tag) })
            }
        },
        Some(other) => at_tag(path, Problem::Type { expected: &Shape::Text, got: other.clone() }),
    }
}

impl Shape {
    /// Whether the JSON type is right, whatever the value.
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Bool => value.is_boolean(),
            Self::Text | Self::Enum(_) => value.is_string(),
            Self::Integer(..) => value.is_i64() || value.is_u64(),
            Self::Number(..) => value.is_number(),
            Self::Object(_) | Self::Map(_) | Self::Tagged(..) => value.is_object(),
            Self::Array(..) => value.is_array(),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.fits(value)),
        }
    }
}
