//! What a filter reads of a product. Every driver filters products by their rows, so that the fields are defined here.

use aldis_core::expression::{ProductField, Record, Values};

use crate::rows::Product;

impl Record<ProductField> for Product {
    fn values(&self, field: ProductField, sub: Option<&str>) -> Values<'_> {
        match field {
            ProductField::ProductKey => Values::one(self.key.as_str()),
            ProductField::ModelId => Values::one(self.model.as_str()),
            ProductField::Name => Values::Name(&self.name),
            ProductField::Tags => sub.and_then(|key| self.tags.get(key)).cloned().into_iter().collect(),
        }
    }
}
