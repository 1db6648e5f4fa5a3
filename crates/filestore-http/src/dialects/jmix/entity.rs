//! Entities: records with attributes of declared types, some of them references to files.

use filestore::{Error, Result};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::reference::FileReference;

/// An entity whose records are kept for the application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its name, as in `rstex11_Product`.
    pub name: String,
    /// Its attributes beside `id`, in the order they are shown.
    pub attributes: Vec<Attribute>,
}

/// An attribute of an entity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// What a new record has when it does not say; JSON text.
    #[serde(default)]
    pub default: Option<String>,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text.
    String,
    /// A number with as many decimals as it is written with.
    Decimal,
    /// A reference to a file.
    FileRef,
}

impl Entity {
    /// `rstex11_Product` of the page: a name, a price of 100.00, an image.
    pub fn product() -> Self {
        let attribute = |name: &str, kind, default: Option<&str>| Attribute {
            name: name.to_owned(),
            kind,
            default: default.map(str::to_owned),
        };
        Self {
            name: "rstex11_Product".to_owned(),
            attributes: vec![
                attribute("image", AttributeType::FileRef, None),
                attribute("price", AttributeType::Decimal, Some("100.00")),
                attribute("name", AttributeType::String, None),
            ],
        }
    }

    /// The id of a new record: the client's own, or a new one. `None` for one that is no UUID.
    pub(super) fn id_of(body: &Map<String, Value>) -> Option<Uuid> {
        match body.get("id") {
            None | Some(Value::Null) => Some(Uuid::new_v4()),
            Some(Value::String(text)) => parse_id(text),
            Some(_) => None,
        }
    }

    /// The attributes of a new record.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument), naming the attribute.
    pub(super) fn created(&self, body: &Map<String, Value>) -> Result<Map<String, Value>> {
        let mut record = Map::new();
        for attribute in &self.attributes {
            if let Some(default) = &attribute.default
                && let Ok(value) = serde_json::from_str(default)
            {
                record.insert(attribute.name.clone(), value);
            }
        }
        self.update(&mut record, body)?;
        Ok(record)
    }

    /// Takes over the attributes that `body` names; `null` clears one. Names that are not the
    /// entity's are passed over, as upstream does.
    ///
    /// # Errors
    /// As [`created`](Self::created).
    pub(super) fn update(
        &self,
        record: &mut Map<String, Value>,
        body: &Map<String, Value>,
    ) -> Result<()> {
        for attribute in &self.attributes {
            match body.get(&attribute.name) {
                None => {}
                Some(Value::Null) => {
                    record.remove(&attribute.name);
                }
                Some(value) => {
                    record.insert(attribute.name.clone(), attribute.checked(value)?);
                }
            }
        }
        Ok(())
    }
}

/// A record as it is shown: what Jmix's own clients look for, and all local attributes in the order
/// they were declared in.
#[derive(Debug)]
pub(super) struct Shown<'s> {
    pub(super) entity: &'s Entity,
    pub(super) id: &'s str,
    pub(super) attributes: Map<String, Value>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { entity, id, attributes } = self;
        let name = attributes.get("name").and_then(Value::as_str).unwrap_or(id);
        let mut shown = serializer.serialize_map(None)?;
        shown.serialize_entry("_entityName", &entity.name)?;
        shown.serialize_entry("_instanceName", name)?;
        shown.serialize_entry("id", id)?;
        for Attribute { name, .. } in &entity.attributes {
            if let Some(value) = attributes.get(name) {
                shown.serialize_entry(name, value)?;
            }
        }
        shown.end()
    }
}

impl Attribute {
    fn checked(&self, value: &Value) -> Result<Value> {
        let taken = match (self.kind, value) {
            (AttributeType::String, Value::String(_))
            | (AttributeType::Decimal, Value::Number(_)) => Some(value.clone()),
            (AttributeType::Decimal, Value::String(text)) => {
                text.parse::<Number>().ok().map(Value::Number)
            }
            (AttributeType::FileRef, Value::String(text)) => {
                FileReference::parse(text).map(|_| value.clone())
            }
            _ => None,
        };
        let wanted = match self.kind {
            AttributeType::String => "a string",
            AttributeType::Decimal => "a number",
            AttributeType::FileRef => "a file reference",
        };
        taken.ok_or_else(|| Error::invalid(format!("attribute {} is not {wanted}", self.name)))
    }
}

/// The id of a record; `None` for what is no UUID.
pub(super) fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_new_product_costs_what_the_page_says() {
        let product = Entity::product();
        let image = "fs://2021/03/13/f623e8ab-524e-51ed-1a9f-b1c1369239e3.jpg?name=cat.jpg";
        let record =
            product.created(&map(&json!({"name": "Product with Image", "image": image}))).unwrap();
        let shown = Shown { entity: &product, id: "an-id", attributes: record };
        let expected = format!(
            "{{\"_entityName\":\"rstex11_Product\",\"_instanceName\":\"Product with Image\",\
             \"id\":\"an-id\",\"image\":\"{image}\",\"price\":100.00,\"name\":\"Product with Image\"}}"
        );
        assert_eq!(serde_json::to_string(&shown).unwrap(), expected);
    }

    #[test]
    fn values_of_the_wrong_type_are_refused_and_null_clears() {
        let product = Entity::product();
        for wrong in [json!({"name": 1}), json!({"price": "cheap"}), json!({"image": "cat.jpg"})] {
            assert!(product.created(&map(&wrong)).is_err());
        }
        let mut record = product.created(&map(&json!({"name": "a", "other": 1}))).unwrap();
        assert!(!record.contains_key("other"));
        product.update(&mut record, &map(&json!({"name": null, "price": 1.50}))).unwrap();
        assert!(!record.contains_key("name"));
    }
}
