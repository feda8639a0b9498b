//! What the demo page runs in a worker: a month of the demo world's listeners under the shipped core and under what it is compared with, and
//! attacks on what they would upload.
//!
//! Nothing here is a result of its own: the listeners are those of `ears_world`, the ranker is the shipped one, the attacks are the audit's, and
//! a month gives the numbers of `ears-lab simulate` for the same seed, to the last bit (`tests/e2e/world.test.mjs`).
//!
//! The module imports nothing. The page writes the catalogue's tables at [`room`], which the module does not carry since the page has them; then
//! it calls, and reads the answer, a JSON text or bytes, from [`answer`]; there is one page and one thread.

pub mod attack;
pub mod listener;
pub mod month;

use std::cell::RefCell;
use std::sync::{Mutex, OnceLock};

use ears_only::bundle::Bundle;
use ears_only::error::Error;
use ears_world::World;
use ears_world::candidates::Candidates;
#[cfg(target_arch = "wasm32")]
use ears_world::catalogue::DemoCatalogue;
#[cfg(any(test, target_arch = "wasm32"))]
use ears_world::catalogue::Tables;
use ears_world::run::Run;
use serde::Serialize;

use attack::Bench;
use listener::Biography;
use month::Month;

/// What the page wrote.
static TABLES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// The answer to the last call.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// The month under way.
static MONTH: Mutex<Option<Month>> = Mutex::new(None);
/// The attacks under way.
static BENCH: Mutex<Option<Bench>> = Mutex::new(None);

thread_local! {
    /// The life under way.
    static LIFE: RefCell<Option<Biography>> = const { RefCell::new(None) };
}

/// A call went well.
const DONE: u32 = 0;
/// There is more to do: call again.
const MORE: u32 = 1;
/// The answer says what was wrong.
const FAILED: u32 = 2;

/// The demo world, made when it is first asked for.
#[must_use]
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(made)
}

#[cfg(not(target_arch = "wasm32"))]
fn made() -> World {
    World::demo()
}

/// From the tables that the page wrote; an empty one where it wrote none.
#[cfg(target_arch = "wasm32")]
fn made() -> World {
    let text = TABLES.lock().map(|text| text.clone()).unwrap_or_default();
    let nothing = Tables { families: "", artists: "", albums: "", podcasts: "" };
    World::of(DemoCatalogue::read(tables_of(&text).unwrap_or(nothing)))
}

/// Four tables apart by form feeds: families, artists, albums, podcasts. `None` where there are not as many, or no text.
#[cfg(any(test, target_arch = "wasm32"))]
fn tables_of(bytes: &[u8]) -> Option<Tables<'_>> {
    let mut tables = std::str::from_utf8(bytes).ok()?.split('\u{c}');
    let found = Tables { families: tables.next()?, artists: tables.next()?, albums: tables.next()?, podcasts: tables.next()? };
    tables.next().is_none().then_some(found)
}

/// What its server sends.
fn candidates() -> &'static Candidates<'static> {
    static CANDIDATES: OnceLock<Candidates<'static>> = OnceLock::new();
    CANDIDATES.get_or_init(|| Candidates::new(world().catalogue()))
}

/// Listeners of the demo world.
#[must_use]
pub fn run(seed: u64, listeners: u32, days: u32) -> Run<'static> {
    Run { world: world(), candidates: candidates(), seed, listeners, days }
}

/// The bundle that every listener starts with.
///
/// # Errors
/// Never, as long as the core's own tests pass.
pub fn bundle() -> Result<Bundle, Error> {
    Bundle::built_in()
}

fn put(bytes: Vec<u8>) {
    if let Ok(mut answer) = ANSWER.lock() {
        *answer = bytes;
    }
}

/// Puts the answer in place, or what was wrong.
fn say<T: Serialize>(result: Result<(u32, T), Error>) -> u32 {
    let (code, text) = match result {
        Ok((code, value)) => (code, serde_json::to_vec(&value)),
        Err(error) => (FAILED, serde_json::to_vec(&error.to_string())),
    };
    put(text.unwrap_or_default());
    code
}

/// A seed as JavaScript has it.
fn seed_of(seed: f64) -> u64 {
    seed as u64
}

/// Where the answer to the last call stands.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    ANSWER.lock().map_or(std::ptr::null(), |answer| answer.as_ptr())
}

/// How many bytes it has.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn answer_length() -> usize {
    ANSWER.lock().map_or(0, |answer| answer.len())
}

/// Where the page writes the tables of the catalogue, `length` bytes: families, artists, albums, podcasts, apart by form feeds.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    TABLES.lock().map_or(std::ptr::null_mut(), |mut text| {
        *text = vec![0; length];
        text.as_mut_ptr()
    })
}

/// Who the first `count` listeners of a seed are: [`listener::Portrait`]s.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn portraits(seed: f64, count: u32) -> u32 {
    let run = run(seed_of(seed), count, 0);
    say(Ok((DONE, (0..count).map(|number| listener::portrait(&run, number)).collect::<Vec<_>>())))
}

/// Begins the life of one listener until the morning of `day`; [`life_step`] goes on with it.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn life_begin(seed: f64, number: u32, day: u32) -> u32 {
    say(bundle().and_then(|bundle| Biography::new(run(seed_of(seed), number + 1, day), &bundle, number)).map(|life| {
        LIFE.set(Some(life));
        (DONE, ())
    }))
}

/// One more day of it: how many are lived.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn life_step() -> u32 {
    LIFE.with_borrow_mut(|place| match place {
        Some(life) => say(life.step().map(|more| (if more { MORE } else { DONE }, life.day()))),
        None => FAILED,
    })
}

/// What that listener's device has stored by now: the bytes of a snapshot.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn life_snapshot() -> u32 {
    LIFE.with_borrow(|place| match place {
        Some(life) => {
            put(life.snapshot());
            DONE
        }
        None => FAILED,
    })
}

/// Ends that life: its [`listener::Story`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn life_end() -> u32 {
    let Some(life) = LIFE.take() else { return FAILED };
    say(life.end().map(|story| (DONE, story)))
}

/// Begins a run of `listeners` for `days`; [`month_step`] goes on with it.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn month_begin(seed: f64, listeners: u32, days: u32) -> u32 {
    say(bundle().map(|bundle| {
        let month = Month::new(run(seed_of(seed), listeners, days), bundle);
        if let Ok(mut place) = MONTH.lock() {
            *place = Some(month);
        }
        (DONE, ())
    }))
}

/// One part of the month: [`month::Figures`] so far.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn month_step() -> u32 {
    let Ok(mut place) = MONTH.lock() else { return FAILED };
    let Some(month) = place.as_mut() else { return FAILED };
    say(month.step().map(|more| (if more { MORE } else { DONE }, month.figures())))
}

/// Begins the attacks on the first `listeners` listeners; [`attack_step`] goes on with it.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn attack_begin(listeners: u32) -> u32 {
    if let Ok(mut place) = BENCH.lock() {
        *place = Some(Bench::new(listeners));
    }
    DONE
}

/// One more listener lives a week and uploads; when all have, the answer is [`attack::Outcome`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn attack_step() -> u32 {
    let Ok(mut place) = BENCH.lock() else { return FAILED };
    let Some(bench) = place.as_mut() else { return FAILED };
    say(bench.step().map(|outcome| (if outcome.is_some() { DONE } else { MORE }, (bench.done(), outcome))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_world::catalogue::DemoCatalogue;

    #[test]
    fn tables_from_the_page_make_the_same_world() {
        let Tables { families, artists, albums, podcasts } = Tables::DEMO;
        let text = [families, artists, albums, podcasts].join("\u{c}");
        let tables = tables_of(text.as_bytes()).unwrap();
        assert_eq!(tables, Tables::DEMO);
        assert_eq!(&DemoCatalogue::read(tables), world().catalogue());
        assert_eq!(tables_of(text.trim_end_matches(podcasts).trim_end_matches('\u{c}').as_bytes()), None);
        assert_eq!(tables_of(&[0xff]), None);
    }
}
