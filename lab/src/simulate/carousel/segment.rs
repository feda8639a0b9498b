//! Policies that treat all users of a segment, or all users, alike: their scores are sorted once a round.
//!
//! # References
//! W. Bendada, G. Salha, T. Bontempelli (2020), "Carousel Personalization in Music Streaming Apps with Contextual Bandits",
//! RecSys, section 3.3, with the settings and tie-breaking of the published code. Its exchange of the pages of three users in
//! each round is left out.

use ears_only::math::ln;
use ears_only::random::{below, unit};
use rand_pcg::Pcg32;

use super::policy::{Policy, Rule};
use super::world::{Public, SLOTS, Slate, World};

/// Streams and showings by segment and playlist.
#[derive(Clone, Debug)]
pub(super) struct Counts<'a> {
    pub(super) public: Public<'a>,
    pub(super) streamed: Vec<u32>,
    pub(super) shown: Vec<u32>,
}

impl<'a> Counts<'a> {
    pub(super) fn new(public: Public<'a>) -> Self {
        let cells = public.segments * public.playlists;
        Self { public, streamed: vec![0; cells], shown: vec![0; cells] }
    }

    /// Counts every card seen under `rule`; calls `touched` with its cell.
    pub(super) fn learn(
        &mut self,
        rule: Rule,
        visitors: &[u32],
        slates: &[Slate],
        streams: &[Option<usize>],
        mut touched: impl FnMut(usize),
    ) {
        for ((user, slate), stream) in visitors.iter().zip(slates).zip(streams) {
            let row = self.public.segment(*user) * self.public.playlists;
            for (position, playlist) in slate.iter().enumerate().take(rule.seen(*stream)) {
                let cell = row + usize::from(*playlist);
                self.shown[cell] += 1;
                self.streamed[cell] += u32::from(*stream == Some(position));
                touched(cell);
            }
        }
    }

    /// Streams among showings; `unseen` where nothing was shown.
    fn rate(&self, cell: usize, unseen: f64) -> f64 {
        if self.shown[cell] == 0 { unseen } else { f64::from(self.streamed[cell]) / f64::from(self.shown[cell]) }
    }
}

/// Playlists by falling score, equal ones side by side.
#[derive(Clone, Debug, Default)]
struct Order {
    playlists: Vec<u16>,
    /// Where each run of equal scores ends.
    ends: Vec<usize>,
}

impl Order {
    fn new(count: usize, score: impl Fn(usize) -> (f64, f64)) -> Self {
        let mut scored: Vec<((f64, f64), u16)> = (0..count).map(|playlist| (score(playlist), playlist as u16)).collect();
        scored.sort_by(|((a, b), i), ((c, d), j)| c.total_cmp(a).then(d.total_cmp(b)).then(i.cmp(j)));
        let mut ends: Vec<usize> = (1..count).filter(|at| scored[at - 1].0 != scored[*at].0).collect();
        ends.push(count);
        Self { playlists: scored.into_iter().map(|(_, playlist)| playlist).collect(), ends }
    }

    /// The first of the order, equal ones in random order.
    fn slate(&mut self, rng: &mut Pcg32) -> Slate {
        let mut start = 0;
        for &end in &self.ends {
            // Runs stay runs: exchanging equals changes nothing for the next page.
            for at in start..end.min(SLOTS) {
                let other = at + below(rng, (end - at) as u32) as usize;
                self.playlists.swap(at, other);
            }
            start = end;
            if start >= SLOTS {
                break;
            }
        }
        first(&self.playlists)
    }
}

fn first(playlists: &[u16]) -> Slate {
    std::array::from_fn(|slot| playlists[slot])
}

fn orders(public: Public<'_>, score: impl Fn(usize) -> (f64, f64)) -> Vec<Order> {
    (0..public.segments).map(|segment| Order::new(public.playlists, |i| score(segment * public.playlists + i))).collect()
}

/// Uniform pages.
pub(super) struct Random {
    order: Order,
    rng: Pcg32,
}

impl Random {
    pub(super) fn new(public: Public<'_>, rng: Pcg32) -> Self {
        Self { order: Order::new(public.playlists, |_| (0.0, 0.0)), rng }
    }
}

impl Policy for Random {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        visitors.iter().map(|_| self.order.slate(&mut self.rng)).collect()
    }

    fn learn(&mut self, _: &[u32], _: &[Slate], _: &[Option<usize>]) {}
}

/// The same page for everybody by streams among showings over all users, with a pessimistic start; one page in twenty is uniform.
pub(super) struct Popularity<'a> {
    counts: Counts<'a>,
    random: Random,
}

impl<'a> Popularity<'a> {
    const EXPLORATION: f64 = 0.05;

    pub(super) fn new(public: Public<'a>, rng: Pcg32) -> Self {
        Self { counts: Counts::new(public), random: Random::new(public, rng) }
    }
}

impl Policy for Popularity<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let public = self.counts.public;
        let total = |counts: &[u32], playlist: usize| -> f64 {
            (0..public.segments).map(|segment| f64::from(counts[segment * public.playlists + playlist])).sum()
        };
        let rate = |i| (total(&self.counts.streamed, i) + 1.0) / (total(&self.counts.shown, i) + 100.0);
        let mut order = Order::new(public.playlists, |playlist| (rate(playlist), 0.0));
        let rng = &mut self.random.rng;
        let uniform = &mut self.random.order;
        visitors.iter().map(|_| if unit(rng) < Self::EXPLORATION { uniform.slate(rng) } else { order.slate(rng) }).collect()
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        self.counts.learn(Rule::AllSeen, visitors, slates, streams, |_| ());
    }
}

/// A page for each segment that never changes, made from the truth.
pub(super) struct Fixed<'a> {
    public: Public<'a>,
    slates: Vec<Slate>,
}

impl<'a> Fixed<'a> {
    /// The playlists with the highest mean chance over all users.
    pub(super) fn popular(world: &'a World) -> Self {
        let public = world.public();
        let slate = std::array::from_fn(|slot| world.by_appeal()[slot] as u16);
        Self { public, slates: vec![slate; public.segments] }
    }

    /// For each segment, the playlists with the highest mean chance over its users.
    pub(super) fn by_segment(world: &'a World) -> Self {
        let public = world.public();
        let mut sums = vec![0.0; public.segments * public.playlists];
        for user in 0..world.users() as u32 {
            let row = &mut sums[public.segment(user) * public.playlists..][..public.playlists];
            for (sum, chance) in row.iter_mut().zip(world.chances(user)) {
                *sum += f64::from(*chance);
            }
        }
        let slates = orders(public, |cell| (sums[cell], 0.0)).iter().map(|order| first(&order.playlists)).collect();
        Self { public, slates }
    }
}

impl Policy for Fixed<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        visitors.iter().map(|user| self.slates[self.public.segment(*user)]).collect()
    }

    fn learn(&mut self, _: &[u32], _: &[Slate], _: &[Option<usize>]) {}
}

/// Shows what was shown least until everything was shown `least` times in the segment; then what was streamed most often.
pub(super) struct ExploreThenCommit<'a> {
    counts: Counts<'a>,
    least: u32,
    rng: Pcg32,
}

impl<'a> ExploreThenCommit<'a> {
    pub(super) fn new(public: Public<'a>, least: u32, rng: Pcg32) -> Self {
        Self { counts: Counts::new(public), least, rng }
    }
}

impl Policy for ExploreThenCommit<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let counts = &self.counts;
        let missing = |cell: usize| f64::from(self.least.saturating_sub(counts.shown[cell]));
        let mut orders = orders(counts.public, |cell| (missing(cell), counts.rate(cell, 0.0)));
        visitors.iter().map(|user| orders[counts.public.segment(*user)].slate(&mut self.rng)).collect()
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        self.counts.learn(Rule::AllSeen, visitors, slates, streams, |_| ());
    }
}

/// With chance epsilon a uniform page, otherwise what was streamed most often in the segment; what was never shown comes first.
pub(super) struct Epsilon<'a> {
    counts: Counts<'a>,
    epsilon: f64,
    random: Random,
}

impl<'a> Epsilon<'a> {
    pub(super) fn new(public: Public<'a>, epsilon: f64, rng: Pcg32) -> Self {
        Self { counts: Counts::new(public), epsilon, random: Random::new(public, rng) }
    }
}

impl Policy for Epsilon<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let counts = &self.counts;
        let mut orders = orders(counts.public, |cell| (counts.rate(cell, 1.0), 0.0));
        let mut pages = Vec::with_capacity(visitors.len());
        for user in visitors {
            let rng = &mut self.random.rng;
            let uniform = unit(rng) < self.epsilon;
            let order = if uniform { &mut self.random.order } else { &mut orders[counts.public.segment(*user)] };
            pages.push(order.slate(rng));
        }
        pages
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        self.counts.learn(Rule::AllSeen, visitors, slates, streams, |_| ());
    }
}

/// The upper confidence bound of Garivier and Cappé (2011), by segment. A bound is computed anew when its card was seen.
pub(super) struct KlUcb<'a> {
    counts: Counts<'a>,
    bounds: Vec<f64>,
    rng: Pcg32,
}

impl<'a> KlUcb<'a> {
    pub(super) fn new(public: Public<'a>, rng: Pcg32) -> Self {
        let counts = Counts::new(public);
        Self { bounds: vec![1.0; counts.shown.len()], counts, rng }
    }
}

impl Policy for KlUcb<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let public = self.counts.public;
        let mut orders = orders(public, |cell| (self.bounds[cell], 0.0));
        visitors.iter().map(|user| orders[public.segment(*user)].slate(&mut self.rng)).collect()
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        let mut touched = vec![false; self.bounds.len()];
        self.counts.learn(Rule::AllSeen, visitors, slates, streams, |cell| touched[cell] = true);
        let time = ln(self.counts.shown.iter().map(|shown| f64::from(*shown)).sum());
        for (cell, bound) in self.bounds.iter_mut().enumerate().filter(|(cell, _)| touched[*cell]) {
            *bound = upper_bound(self.counts.rate(cell, 0.0), time / f64::from(self.counts.shown[cell]));
        }
    }
}

/// The largest chance whose divergence from `rate` is at most `limit`, by bisection.
fn upper_bound(rate: f64, limit: f64) -> f64 {
    let (mut low, mut high) = (rate, 1.0);
    while high - low > 1e-6 {
        let middle = 0.5 * (low + high);
        if divergence(rate, middle) > limit {
            high = middle;
        } else {
            low = middle;
        }
    }
    0.5 * (low + high)
}

/// Kullback-Leibler divergence of two Bernoulli distributions.
fn divergence(x: f64, y: f64) -> f64 {
    let (x, y) = (x.clamp(1e-15, 1.0 - 1e-15), y.clamp(1e-15, 1.0 - 1e-15));
    x * ln(x / y) + (1.0 - x) * ln((1.0 - x) / (1.0 - y))
}

#[cfg(test)]
mod tests {
    use super::super::world::tests::small;
    use super::*;
    use ears_only::random::{Purpose, Seed};

    #[test]
    fn equal_scores_share_the_places_and_higher_ones_come_first() {
        // Two playlists above, ten below, the others equal: each of the 18 equals takes one of ten places.
        let score = |playlist: usize| {
            if playlist < 2 {
                2.0
            } else if playlist < 12 {
                0.0
            } else {
                1.0
            }
        };
        let mut order = Order::new(30, |playlist| (score(playlist), 0.0));
        let mut rng = Seed::from_number(1).stream(Purpose::Host, 0);
        let mut shown = [0.0; 30];
        for _ in 0..9_000 {
            let slate = order.slate(&mut rng);
            assert!(slate[0] < 2 && slate[1] < 2 && slate[2..].iter().all(|playlist| *playlist >= 12));
            for playlist in slate {
                shown[usize::from(playlist)] += 1.0;
            }
        }
        // 5,000 times each, standard deviation 47; six of them are crossed once in 5e8 draws.
        assert!(shown[12..].iter().all(|count| (*count - 5_000.0_f64).abs() < 283.0), "{shown:?}");
    }

    #[test]
    fn only_seen_cards_count() {
        let world = small();
        let slate: Slate = std::array::from_fn(|slot| slot as u16);
        for (rule, stream, seen) in
            [(Rule::AllSeen, None, 12), (Rule::FirstSeen, None, 3), (Rule::AllSeen, Some(4), 5), (Rule::FirstSeen, Some(4), 5)]
        {
            let mut counts = Counts::new(world.public());
            counts.learn(rule, &[0], &[slate], &[stream], |_| ());
            assert_eq!(counts.shown.iter().sum::<u32>(), seen);
            assert_eq!(counts.streamed.iter().sum::<u32>(), u32::from(stream.is_some()));
            assert!(stream.is_none_or(|position| counts.streamed[position] == 1));
        }
    }

    #[test]
    fn the_upper_bound_meets_its_divergence() {
        for (rate, limit) in [(0.01, 0.02), (0.3, 0.5), (0.0, 0.1)] {
            let bound = upper_bound(rate, limit);
            assert!(bound > rate && (divergence(rate, bound) - limit).abs() < 1e-4, "{bound}");
        }
    }
}
