//! Weeks of devices of the demo world: what a device knows when its probe comes, and what its listener would do with any page.
//!
//! Listeners live for four weeks with the built-in model. At the end of each the features of all candidates are kept, as the shipped
//! [`FeatureMaker`] writes them from the device's own history, and the true chance that the listener would stream each card. With these the
//! chance that a page earns a stream is exact for any order: the listener looks down the page as in a cascade.

use ears_only::bundle::Bundle;
use ears_only::context::Context;
use ears_only::features::{Column, FeatureMaker, FeatureSchema, Source};
use ears_only::math::{dot, ln, logit, sigmoid};
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::constants::{EMBEDDING, NEXT_CARD, NEXT_SHELF, SKIP_WITHIN, VISIBLE_CARDS};
use ears_world::listener::{Listener, VISITS};
use nalgebra::{DMatrix, DVector};

use crate::error::LabError;
use crate::simulate::device::Device;
use crate::simulate::units::each;
use crate::simulate::{Settings, Stage};

/// Weeks of each listener.
const WEEKS: u32 = 4;
/// Power of a shelf kind's willingness in the odds of the shelf, and its prior mean; as the ranker has them.
const WILLINGNESS: (f64, f64) = (0.25, 0.1);
/// Chance of being looked at, from card to card, in a shelf's value; as the built-in feedback has it.
const EXAMINATION: f64 = 0.85;

/// The columns that are trained: all that the device derives, and the directions of the card's embedding as the app gives them.
///
/// # Errors
/// None in practice.
pub fn schema() -> Result<FeatureSchema, LabError> {
    let derived = [
        "popularity",
        "artist_affinity",
        "family_affinity",
        "card_affinity",
        "taste_short",
        "taste_long",
        "new_artist",
        "recency",
        "skip_rate",
        "time_of_day",
        "willingness",
        "liked",
        "fatigue",
        "is_podcast",
        "is_playlist",
        "duration",
    ];
    let given = (0..EMBEDDING).map(|at| Column::new(&format!("embedding_{at}"), Source::Given));
    let mut columns: Vec<Column> = given.collect();
    for name in derived {
        columns.push(Column::new(name, Source::from_name(name)?));
    }
    Ok(FeatureSchema::new(columns)?)
}

/// The weights of the built-in model in these columns.
///
/// # Errors
/// None in practice.
pub fn built_in() -> Result<Vec<f64>, LabError> {
    let (schema, bundle) = (schema()?, Bundle::built_in()?);
    let mean = bundle.model().head().mean();
    let of = |name: &str| bundle.schema().columns().iter().position(|column| column.name == name).map_or(0.0, |at| mean[at + 1]);
    let mut weights = vec![mean[0]];
    weights.extend(schema.columns().iter().map(|column| of(&column.name)));
    Ok(weights)
}

/// One device at the end of a week.
struct Week {
    /// Features of all candidates, shelf after shelf.
    rows: Vec<f32>,
    /// First card of each shelf, and the end.
    starts: Vec<usize>,
    /// What the willingness for its kind adds to the log-odds of each shelf.
    willing: Vec<f64>,
    /// True chance that each card is streamed when seen.
    streams: Vec<f64>,
}

/// Room for one page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    scores: Vec<f32>,
    order: Vec<u32>,
    shelves: Vec<(f64, f64)>,
}

/// Device-weeks of a population.
pub struct Pool {
    stride: usize,
    width: usize,
    weeks: Vec<Week>,
}

impl Pool {
    /// Lets `listeners` of `seed` live for four weeks.
    ///
    /// # Errors
    /// When the core refuses.
    pub fn new(seed: u64, listeners: u32, threads: usize) -> Result<Self, LabError> {
        let world = World::demo();
        let candidates = Candidates::new(world.catalogue());
        let settings = Settings { seeds: vec![seed], listeners, days: 7 * WEEKS, bundle: Bundle::built_in()?, threads };
        let schema = schema()?;
        let jobs: Vec<u32> = (0..listeners).collect();
        let weeks = each(&jobs, threads, |number| {
            live(&Stage { world: &world, candidates: &candidates, seed, settings: &settings }, &schema, *number)
        })?;
        Ok(Self { stride: schema.stride(), width: schema.width(), weeks: weeks.into_iter().flatten().collect() })
    }

    /// Weights of a model, the bias first.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Device-weeks.
    #[must_use]
    pub fn weeks(&self) -> usize {
        self.weeks.len()
    }

    /// Chance that the page of a device-week earns a stream when it is ordered greedily by these weights.
    #[must_use]
    pub fn stream_chance(&self, week: usize, weights: &[f32], page: &mut Page) -> f64 {
        let week = &self.weeks[week];
        let weights = &weights[..self.width.min(weights.len())];
        page.scores.clear();
        page.scores.extend(week.rows.chunks_exact(self.stride).map(|row| dot(&row[..weights.len()], weights)));
        week.stream_chance(page)
    }

    /// Mean chance over all device-weeks.
    ///
    /// # Errors
    /// None of its own.
    pub fn value(&self, weights: &[f64], threads: usize) -> Result<f64, LabError> {
        let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        let jobs: Vec<usize> = (0..self.weeks.len()).collect();
        let blocks: Vec<&[usize]> = jobs.chunks(64).collect();
        let sums = each(&blocks, threads, |block| {
            let mut page = Page::default();
            Ok(block.iter().map(|week| self.stream_chance(*week, &weights, &mut page)).sum::<f64>())
        })?;
        Ok(sums.iter().sum::<f64>() / self.weeks.len().max(1) as f64)
    }

    /// The same when pages are ordered by the truth.
    #[must_use]
    pub fn truth(&self) -> f64 {
        let mut page = Page::default();
        let of = |week: &Week| {
            page.scores = week.streams.iter().map(|chance| logit(*chance) as f32).collect();
            // Of a listener's willingness the true chances know more than the device does.
            Week {
                rows: Vec::new(),
                starts: week.starts.clone(),
                willing: vec![0.0; week.willing.len()],
                streams: week.streams.clone(),
            }
            .stream_chance(&mut page)
        };
        self.weeks.iter().map(of).sum::<f64>() / self.weeks.len().max(1) as f64
    }

    /// Logistic regression on the true chances of all candidates: what unlimited data without noise would teach.
    ///
    /// # Errors
    /// When the normal equations have no solution.
    pub fn fitted(&self) -> Result<Vec<f64>, LabError> {
        let width = self.width;
        let mut weights = DVector::zeros(width);
        for _ in 0..10 {
            // A little shrinkage, far below what the data say, where a column is constant.
            let mut hessian = DMatrix::from_diagonal_element(width, width, 1e-3);
            let mut gradient = -1e-3 * &weights;
            for week in &self.weeks {
                for (row, chance) in week.rows.chunks_exact(self.stride).zip(&week.streams) {
                    let x = DVector::from_iterator(width, row[..width].iter().map(|x| f64::from(*x)));
                    let p = sigmoid(x.dot(&weights));
                    gradient.axpy(chance - p, &x, 1.0);
                    hessian.syger(p * (1.0 - p), &x, &x, 1.0);
                }
            }
            let step = hessian.cholesky().ok_or_else(|| LabError::failed("regression on the true chances: no solution"))?;
            weights += step.solve(&gradient);
        }
        Ok(weights.iter().copied().collect())
    }
}

impl Week {
    /// Orders the cards of each shelf by score and the shelves by their values, and looks down the page.
    fn stream_chance(&self, page: &mut Page) -> f64 {
        page.shelves.clear();
        for shelf in 0..self.willing.len() {
            let cards = self.starts[shelf]..self.starts[shelf + 1];
            page.order.clear();
            page.order.extend(cards.start as u32..cards.end as u32);
            let scores = &page.scores;
            page.order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
            let (mut nothing, mut seen) = (1.0, 1.0);
            for card in page.order.iter().take(VISIBLE_CARDS) {
                nothing *= 1.0 - seen * sigmoid(f64::from(scores[*card as usize]));
                seen *= EXAMINATION;
            }
            page.shelves.push((logit(1.0 - nothing) + self.willing[shelf], self.unstreamed(&page.order)));
        }
        page.shelves.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut streamed, mut reached) = (0.0, 1.0);
        for (_, unstreamed) in &page.shelves {
            streamed += reached * (1.0 - unstreamed);
            reached *= unstreamed * NEXT_SHELF;
        }
        streamed
    }

    /// Chance that a shelf, once looked at, earns no stream.
    fn unstreamed(&self, order: &[u32]) -> f64 {
        let (mut streamed, mut reached) = (0.0, 1.0);
        for card in order {
            let chance = self.streams[*card as usize];
            streamed += reached * chance;
            reached *= (1.0 - chance) * NEXT_CARD;
        }
        1.0 - streamed
    }
}

/// Four weeks of a listener, each as it ends.
fn live(stage: &Stage<'_>, schema: &FeatureSchema, number: u32) -> Result<Vec<Week>, LabError> {
    let mut listener = Listener::new(stage.world, stage.seed, number);
    let mut device = stage.device(number)?;
    device.import(&listener)?;
    let mut weeks = Vec::new();
    for day in 0..stage.settings.days {
        listener.begin_day(day);
        let page = stage.candidates.page(stage.seed, number, day);
        for visit in 0..VISITS {
            let visit = listener.visit(day, visit);
            if day % 7 == 6 && visit.number + 1 == VISITS {
                weeks.push(week(stage, schema, &mut device, &listener, &page, visit.at)?);
            }
            let (shown, _) = device.rank(&page, visit.at)?;
            let looks = listener.browse(visit, &shown.items);
            device.observe(&shown, &looks, |_, _| ())?;
        }
    }
    Ok(weeks)
}

fn week(
    stage: &Stage<'_>,
    schema: &FeatureSchema,
    device: &mut Device,
    listener: &Listener<'_>,
    page: &[ears_world::candidates::CandidateShelf],
    at: ears_only::clock::Timestamp,
) -> Result<Week, LabError> {
    let mut kinds = Vec::with_capacity(page.len());
    for shelf in page {
        let handle = device.ranker.catalogue_mut().register_shelf(&shelf.id, shelf.kind, &shelf.title)?;
        kinds.push(device.ranker.catalogue().kind_of(handle));
    }
    let context = Context::new(at, 0, Vec::new());
    let maker = FeatureMaker::new(schema, device.ranker.history(), device.ranker.catalogue(), &context);
    let willingness = schema.columns().iter().position(|column| column.source == Source::Willingness).map_or(0, |at| at + 1);
    let mut week = Week { rows: Vec::new(), starts: vec![0], willing: Vec::new(), streams: Vec::new() };
    for (shelf, kind) in page.iter().zip(kinds) {
        for &item in &shelf.cards {
            let start = week.rows.len();
            week.rows.resize(start + schema.stride(), 0.0);
            let embedding = &stage.world.catalogue().items()[item as usize].card.embedding;
            maker.write(device.cards[item as usize], kind, embedding, &mut week.rows[start..]);
            week.streams.push(listener.true_chance(item, at) * (1.0 - SKIP_WITHIN[1]));
        }
        // The column is 5 (willingness - prior).
        let row = week.rows.len().saturating_sub(schema.stride());
        let mean = f64::from(week.rows.get(row + willingness).copied().unwrap_or(0.0)) / 5.0 + WILLINGNESS.1;
        week.willing.push(WILLINGNESS.0 * ln(mean / WILLINGNESS.1));
        week.starts.push(week.streams.len());
    }
    Ok(week)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings, PriorSettings};
    use ears_only::page::{Page as Asked, Visible};
    use ears_only::random::{Purpose, Seed, unit};
    use ears_only::ranker::{Ranker, ShelfSource};
    use ears_world::constants::VISIBLE_SHELVES;

    fn stage_settings() -> Settings {
        Settings { seeds: vec![9], listeners: 6, days: 28, bundle: Bundle::built_in().unwrap(), threads: 1 }
    }

    /// Some weights, of the size of the built-in ones.
    fn some_weights(seed: u64) -> Vec<f64> {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
        let built_in = built_in().unwrap();
        built_in.iter().map(|mean| mean + 2.0 * unit(&mut rng) - 1.0).collect()
    }

    #[test]
    fn pages_are_those_of_the_ranker() {
        let (world, settings, schema) = (World::demo(), stage_settings(), schema().unwrap());
        let candidates = Candidates::new(world.catalogue());
        let stage = Stage { world: &world, candidates: &candidates, seed: 9, settings: &settings };
        for number in 0..6 {
            let weights = some_weights(number.into());
            let mean: Vec<(String, f64)> =
                schema.columns().iter().zip(&weights[1..]).map(|(column, weight)| (column.name.clone(), *weight)).collect();
            let greedy = PolicySettings { kind: PolicyKind::EpsilonPage, epsilon: 0.0, ..PolicySettings::default() };
            let bundle = Bundle::new(BundleSettings {
                columns: Some(schema.columns().to_vec()),
                prior: PriorSettings { bias: weights[0], mean, ..PriorSettings::default() },
                policy: greedy,
                ..BundleSettings::default()
            });
            // A device with a history and this model, which has not learned yet.
            let listener = Listener::new(&world, 9, number);
            let mut device = stage.device(number).unwrap();
            device.ranker = Ranker::seeded(bundle.unwrap(), Seed::from_number(1)).unwrap();
            for item in world.catalogue().items() {
                device.ranker.catalogue_mut().register(item.card.clone()).unwrap();
            }
            device.import(&listener).unwrap();
            let visit = listener.visit(0, 0);
            let shelves = candidates.page(9, number, 0);
            let week = week(&stage, &schema, &mut device, &listener, &shelves, visit.at).unwrap();
            let streams = week.streams.clone();
            let starts = week.starts.clone();
            let pool = Pool { stride: schema.stride(), width: schema.width(), weeks: vec![week] };
            let ours = pool.stream_chance(0, &weights.iter().map(|x| *x as f32).collect::<Vec<f32>>(), &mut Page::default());
            let mut builder = Asked::builder(Visible { shelves: VISIBLE_SHELVES, cards: VISIBLE_CARDS });
            let mut given = Vec::new();
            for shelf in &shelves {
                let handle = device.ranker.catalogue_mut().register_shelf(&shelf.id, shelf.kind, &shelf.title).unwrap();
                builder.shelf(handle, false);
                for &item in &shelf.cards {
                    builder.card(device.cards[item as usize], false);
                    given.extend_from_slice(&world.catalogue().items()[item as usize].card.embedding);
                }
            }
            let page = builder.features(EMBEDDING, given).build().unwrap();
            let ranked = device.ranker.rank(&page, visit.at).unwrap();
            let (mut streamed, mut reached) = (0.0, 1.0);
            for shelf in &ranked.shelves {
                let ShelfSource::Page(_) = shelf.source else { continue };
                let order: Vec<u32> = ranked.cards[shelf.cards.clone()].iter().map(|card| card.index.unwrap() as u32).collect();
                let one = Week { rows: Vec::new(), starts: starts.clone(), willing: Vec::new(), streams: streams.clone() };
                let unstreamed = one.unstreamed(&order);
                streamed += reached * (1.0 - unstreamed);
                reached *= unstreamed * NEXT_SHELF;
            }
            // Places below the visible ones are in score order in both; near ties may turn by rounding.
            assert!((ours - streamed).abs() < 1e-6, "listener {number}: {ours} {streamed}");
        }
    }

    #[test]
    fn chances_are_those_of_listeners_who_look_down_the_page() {
        let (world, settings, schema) = (World::demo(), Settings { listeners: 150, ..stage_settings() }, schema().unwrap());
        let candidates = Candidates::new(world.catalogue());
        let stage = Stage { world: &world, candidates: &candidates, seed: 9, settings: &settings };
        let (mut streams, mut chances, mut variance) = (0.0f64, 0.0, 0.0);
        for number in 0..settings.listeners {
            let mut listener = Listener::new(&world, 9, number);
            let mut device = stage.device(number).unwrap();
            let visit = listener.visit(0, 0);
            let shelves = candidates.page(9, number, 0);
            let week = week(&stage, &schema, &mut device, &listener, &shelves, visit.at).unwrap();
            // In the order in which the server sends it: all scores equal, all shelves equal.
            let (mut streamed, mut reached) = (0.0, 1.0);
            for shelf in 0..week.willing.len() {
                let order: Vec<u32> = (week.starts[shelf] as u32..week.starts[shelf + 1] as u32).collect();
                streamed += reached * (1.0 - week.unstreamed(&order));
                reached *= week.unstreamed(&order) * NEXT_SHELF;
            }
            chances += streamed;
            variance += streamed * (1.0 - streamed);
            let shown: Vec<Vec<u32>> = shelves.iter().map(|shelf| shelf.cards.clone()).collect();
            streams += f64::from(u8::from(listener.browse(visit, &shown).iter().any(ears_world::listener::Look::is_stream)));
        }
        // 150 coins of known chances: five standard deviations.
        assert!((streams - chances).abs() < 5.0 * variance.sqrt(), "{streams} {chances}");
    }

    #[test]
    fn regression_on_the_truth_beats_no_order_and_not_the_truth() {
        let pool = Pool::new(11, 20, 2).unwrap();
        let value = |weights: &[f64]| pool.value(weights, 1).unwrap();
        let (none, fitted) = (value(&vec![0.0; pool.width()]), value(&pool.fitted().unwrap()));
        assert!(none < fitted && fitted < pool.truth(), "{none} {fitted} {}", pool.truth());
    }
}
