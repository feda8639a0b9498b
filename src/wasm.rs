//! The exported class: convert, call, convert back.

use js_sys::Float64Array;
use wasm_bindgen::prelude::*;

#[cfg(feature = "bundles")]
mod bundle;
#[cfg(feature = "contribute")]
mod contribute;
mod error;
mod host;
mod types;
mod views;

use crate::bundle::{Bundle, BundleSettings, PolicyKind};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::{EventKind, ListeningEvent, played_ms};
use crate::log::DecisionId;
use crate::page::{CardHandle, PAGE_END, Page};
use crate::random::{Purpose, Seed, SeededEntropy};
use crate::ranker::{Consent, Exclusion, Ranker};
use types::from_tape;

/// The decision that a text names; none for the empty one.
fn decision_of(text: &str) -> Result<Option<DecisionId>, Error> {
    if text.is_empty() { Ok(None) } else { DecisionId::parse(text).map(Some) }
}

/// A third of the machine code of the default allocator, as fast, in constant time. Freed neighbours merge again within what one
/// growth of the memory brought; in long visits the memory levels out a fifth higher.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// One listener's ranker.
#[wasm_bindgen]
pub struct Core {
    ranker: Ranker,
    /// Where the host writes the next page, and where it reads the last answer.
    page: Vec<f32>,
    answer: Vec<f64>,
}

fn time(ms: f64) -> Result<Timestamp, Error> {
    Timestamp::from_ms(ms)
}

#[wasm_bindgen]
impl Core {
    /// A ranker from the model option, told as texts and numbers, and an optional seed of 32 bytes, which makes every draw repeatable.
    #[wasm_bindgen(constructor)]
    pub fn new(texts: &str, numbers: &[f64], seed: Option<Vec<u8>>) -> Result<Core, Error> {
        let bundle = Bundle::new(BundleSettings::read(&from_tape(texts, numbers, "bad_model")?)?)?;
        let ranker = match seed {
            // The flip of the answer is never seeded: whoever knows the seed could turn it back.
            Some(bytes) => {
                let seed = host::seed_from(&bytes)?;
                let coin = SeededEntropy::new(seed.clone(), Purpose::Coin);
                Ranker::new(bundle, seed, Box::new(coin), Box::new(host::Crypto))?
            }
            None => Ranker::new(bundle, host::fresh_seed()?, Box::new(host::Crypto), Box::new(host::Crypto))?,
        };
        Ok(Self { ranker, page: Vec::new(), answer: Vec::new() })
    }

    /// Version of the model in use, names and defaults of the columns to pack with each card, and of those of each visit.
    pub fn configuration(&self) -> JsValue {
        views::configuration(self.ranker.bundle())
    }

    /// Name of the policy with this number, as an answer of `rank` has it.
    #[wasm_bindgen(js_name = policyName)]
    pub fn policy_name(&self, number: usize) -> String {
        PolicyKind::ALL.get(number).map(|kind| kind.name()).unwrap_or_default().to_owned()
    }

    /// Registers cards; see [`types::cards`] for the layout. Returns their handles.
    #[wasm_bindgen(js_name = registerCards)]
    pub fn register_cards(&mut self, strings: &str, numbers: &[f32]) -> Result<Vec<u32>, Error> {
        let mut handles = Vec::new();
        for card in types::cards(strings, numbers)? {
            handles.push(self.ranker.catalogue_mut().register(card)?.index());
        }
        Ok(handles)
    }

    /// Registers shelves: id, kind and title of each. Returns their handles.
    #[wasm_bindgen(js_name = registerShelves)]
    pub fn register_shelves(&mut self, strings: &str) -> Result<Vec<u32>, Error> {
        let mut handles = Vec::new();
        for shelf in types::records(strings, 3)?.chunks_exact(3) {
            handles.push(self.ranker.catalogue_mut().register_shelf(shelf[0], shelf[1], shelf[2])?.index());
        }
        Ok(handles)
    }

    /// What is known of a card.
    pub fn card(&self, handle: u32) -> Result<JsValue, Error> {
        let catalogue = self.ranker.catalogue();
        let handle = catalogue
            .handle(handle)
            .ok_or_else(|| Error::page("unknown_card", format!("expected a handle below {}, got {handle}", catalogue.len())))?;
        Ok(views::card(catalogue.card(handle)).into())
    }

    /// Where in the memory the host writes a page of so many words before it calls `rank`.
    pub fn room(&mut self, words: usize) -> usize {
        self.page.resize(words + PAGE_END, 0.0);
        self.page.as_ptr() as usize
    }

    /// Ranks the page that was written; where in the memory the answer lies until the next call ([`Ranker::rank_into`]). `after` names
    /// the decision that the page goes on from.
    pub fn rank(&mut self, now: f64, after: Option<String>, all: bool) -> Result<usize, Error> {
        let mut page = Page::from_words(std::mem::take(&mut self.page), self.ranker.catalogue())?;
        page.after = decision_of(&after.unwrap_or_default())?;
        self.ranker.rank_into(&page, time(now)?, all, &mut self.answer)?;
        self.page = page.into_words().unwrap_or_else(|| self.ranker.spare());
        Ok(self.answer.as_ptr() as usize)
    }

    /// Why a page looks as it does.
    pub fn explain(&self, decision: &str) -> Result<JsValue, Error> {
        Ok(views::explanation(&self.ranker.explain(DecisionId::parse(decision)?)?).into())
    }

    /// For each card of the page, the chance to stand first in the first shelf.
    pub fn marginals(&self, decision: &str) -> Result<Float64Array, Error> {
        Ok(Float64Array::from(self.ranker.marginals(DecisionId::parse(decision)?)?.as_slice()))
    }

    /// Takes in one event; empty strings and NaN stand for what is absent.
    #[expect(clippy::too_many_arguments, reason = "one flat call is the cheapest way across the boundary")]
    pub fn observe(
        &mut self,
        kind: &str,
        decision: &str,
        shelf: &str,
        card: &str,
        ms_played: f64,
        at: f64,
        now: f64,
    ) -> Result<(), Error> {
        let catalogue = self.ranker.catalogue();
        let event = ListeningEvent {
            kind: EventKind::from_name(kind)?,
            decision: decision_of(decision)?,
            shelf: catalogue.find_shelf(shelf),
            card: self.known(card)?,
            ms_played: played_ms((!ms_played.is_nan()).then_some(ms_played))?,
            at: time(at)?,
        };
        self.ranker.observe(&event, time(now)?)
    }

    /// Takes in many events of the past; returns the indices of those refused.
    #[wasm_bindgen(js_name = observeMany)]
    pub fn observe_many(&mut self, strings: &str, numbers: &[f64], now: f64) -> Result<Vec<u32>, Error> {
        let records = types::records(strings, 2)?;
        if numbers.len() != records.len() {
            return Err(Error::event("page_format", format!("expected {} numbers, got {}", records.len(), numbers.len())));
        }
        let mut refused = Vec::new();
        for (index, (event, numbers)) in records.chunks_exact(2).zip(numbers.chunks_exact(2)).enumerate() {
            if self.observe(event[0], "", "", event[1], numbers[0], numbers[1], now).is_err() {
                refused.push(index as u32);
            }
        }
        Ok(refused)
    }

    /// Makes final what is over; returns the number of outcomes learned.
    pub fn settle(&mut self, now: f64) -> Result<f64, Error> {
        Ok(self.ranker.settle(time(now)?) as f64)
    }

    /// Ends the visit; returns the number of outcomes learned.
    #[wasm_bindgen(js_name = endSession)]
    pub fn end_session(&mut self, now: f64) -> Result<f64, Error> {
        Ok(self.ranker.end_session(time(now)?) as f64)
    }

    /// What the device holds, in numbers.
    pub fn summary(&self) -> Result<JsValue, Error> {
        Ok(views::summary(&self.ranker.summary(), self.ranker.history().is_empty()).into())
    }

    /// Everything that outlives a visit.
    pub fn snapshot(&self) -> Vec<u8> {
        self.ranker.snapshot()
    }

    /// Takes back a snapshot; returns "" or a note about what could not be brought back.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<String, Error> {
        Ok(self.ranker.restore(bytes)?.note().to_owned())
    }

    /// Forgets the listener; the ledger keeps its dates.
    pub fn reset(&mut self) {
        self.ranker.reset();
    }

    /// Starts or ends drawing pages that nobody will see.
    #[wasm_bindgen(js_name = setUnseen)]
    pub fn set_unseen(&mut self, unseen: bool) {
        self.ranker.set_unseen(unseen);
    }

    /// Starts or ends private listening.
    #[wasm_bindgen(js_name = setPrivate)]
    pub fn set_private(&mut self, private: bool, now: f64) -> Result<(), Error> {
        self.ranker.set_private(private, time(now)?);
        Ok(())
    }

    /// Takes back and leaves out: a card, one play of it, or an artist if there is no card; `at` is NaN without a play. Returns the
    /// plays taken back.
    pub fn exclude(&mut self, artist: &str, card: &str, at: f64) -> Result<f64, Error> {
        let what = self.exclusion(artist, card, at)?;
        Ok(self.ranker.exclude(&what)? as f64)
    }

    /// Uses a card or an artist again; whether it was excluded.
    pub fn include(&mut self, artist: &str, card: &str) -> Result<bool, Error> {
        let what = self.exclusion(artist, card, f64::NAN)?;
        Ok(self.ranker.include(&what))
    }

    /// What is excluded: artist and card handle, in turn, one of them empty.
    pub fn excluded(&self) -> Vec<String> {
        let pair = |what| match what {
            Exclusion::Artist(name) => [name, String::new()],
            Exclusion::Card(card) | Exclusion::Play(card, _) => [String::new(), card.index().to_string()],
        };
        self.ranker.excluded().flat_map(pair).collect()
    }

    /// What the listener agrees to; and whether contributing is paused for now, for a fault of the host.
    #[wasm_bindgen(js_name = setConsent)]
    pub fn set_consent(&mut self, personalize: bool, contribute: bool, paused: bool) {
        self.ranker.set_consent(Consent { personalize, contribute });
        self.ranker.pause_contribution(paused);
    }
}

impl Core {
    fn exclusion(&self, artist: &str, card: &str, at: f64) -> Result<Exclusion, Error> {
        if card.is_empty() {
            return Ok(Exclusion::Artist(artist.to_owned()));
        }
        let card = self.known(card)?;
        Ok(if at.is_nan() { Exclusion::Card(card) } else { Exclusion::Play(card, time(at)?) })
    }

    fn known(&self, card: &str) -> Result<CardHandle, Error> {
        self.ranker
            .catalogue()
            .find(card)
            .ok_or_else(|| Error::event("unknown_card", "expected a card of a ranked page or of registerCards, got another id"))
    }
}

/// The seed of a number, as `createHome({ seed })` uses it.
#[wasm_bindgen(js_name = seedOf)]
#[must_use]
pub fn seed_of(number: f64) -> Vec<u8> {
    Seed::from_number(number as u64).bytes().to_vec()
}
