//! Shipped bundles.

use wasm_bindgen::prelude::*;

use super::Core;
use super::types::from_tape;
use crate::bundle::Bundle;
use crate::error::Error;

#[wasm_bindgen]
impl Core {
    /// Goes on with a bundle: its bytes as served, and its header read as JSON, told as texts and numbers. Returns "" or a note about what
    /// was learned and could not be kept. On an error nothing has changed.
    #[wasm_bindgen(js_name = setBundle)]
    pub fn set_bundle(&mut self, bytes: &[u8], texts: &str, numbers: &[f64]) -> Result<String, Error> {
        let bundle = Bundle::from_bytes(bytes, &from_tape(texts, numbers, "bad_bundle")?)?;
        Ok(self.ranker.set_bundle(bundle).note().to_owned())
    }
}
