//! What the contribution needs.

use wasm_bindgen::prelude::*;

use super::types::from_tape;
use super::{Core, time, views};
use crate::error::Error;
use crate::privacy::{Manifest, ManifestSettings, ProbeRecord};

#[wasm_bindgen]
impl Core {
    /// Sets the manifest: the bytes as served, and the same bytes read as JSON, told as texts and numbers.
    #[wasm_bindgen(js_name = setManifest)]
    pub fn set_manifest(&mut self, bytes: &[u8], texts: &str, numbers: &[f64]) -> Result<(), Error> {
        self.ranker.bundle().check_manifest(bytes)?;
        let settings = ManifestSettings::read(&from_tape(texts, numbers, "bad_manifest")?)?;
        self.ranker.set_manifest(Manifest::new(bytes, settings)?);
        Ok(())
    }

    /// The ledger's bytes, if there is one.
    pub fn ledger(&self) -> Option<Vec<u8>> {
        self.ranker.ledger()
    }

    /// Starts a fully spent ledger unless there is one; its bytes.
    #[wasm_bindgen(js_name = startLedger)]
    pub fn start_ledger(&mut self, now: f64) -> Result<Vec<u8>, Error> {
        Ok(self.ranker.start_ledger(time(now)?))
    }

    /// Takes a stored ledger.
    #[wasm_bindgen(js_name = restoreLedger)]
    pub fn restore_ledger(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.ranker.restore_ledger(bytes)
    }

    /// Where the contribution stands.
    pub fn contribution(&self, now: f64) -> Result<JsValue, Error> {
        Ok(views::contribution(&self.ranker.contribution(time(now)?)).into())
    }

    /// What all records made here disclose together, as epsilon at `delta`; nothing without a ledger.
    #[must_use]
    pub fn disclosure(&self, delta: f64) -> Option<f64> {
        self.ranker.disclosure(delta)
    }

    /// Pays for the record of a probe that is over; the ledger bytes to save first, or nothing.
    pub fn debit(&mut self, now: f64) -> Result<Option<Vec<u8>>, Error> {
        self.ranker.debit(time(now)?)
    }

    /// Makes the record of 16 bytes.
    #[wasm_bindgen(js_name = makeRecord)]
    pub fn make_record(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.ranker.make_record()?.bytes().to_vec())
    }

    /// The fields of a record.
    #[wasm_bindgen(js_name = describeRecord)]
    pub fn describe_record(&self, bytes: &[u8]) -> Result<JsValue, Error> {
        Ok(views::record(&ProbeRecord::describe(bytes)?, self.ranker.manifest()).into())
    }
}
