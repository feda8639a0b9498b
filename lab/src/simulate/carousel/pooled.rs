//! Ours, pooled: the evidence of all users in one place. Inputs are the users' features and what was streamed, nothing else.
//!
//! Every card's score is drawn from N(m.z, spread^2 v) on its own, with m.z its mean log-odds for this user and v the variance of
//! its log-odds over the user's segment; the page shows the highest draws in their order. That is the core's Thompson sampling
//! ([`ears_only::policy::Rule::Thompson`]), so the propensities are exact; [`Pooled::scores`] gives them what they need.

use rand_pcg::Pcg32;

use super::arms::Arms;
use super::policy::{Policy, Rule};
use super::product::Weights;
use super::top::Top;
use super::world::{Public, Slate};

/// Standard deviations of the draws for each of the posterior: a page has twelve draws, each round twenty thousand pages, so half
/// the width finds what the whole would and loses less.
const SPREAD: f64 = 0.5;
/// Fits of the prior after the first round, and in each of the next three.
const FITS: (u32, u32) = (10, 2);
/// The prior is fitted after each round up to this one, then after every third.
const SETTLED: u32 = 12;

/// Thompson sampling on one logistic regression for each playlist.
pub(super) struct Pooled<'a> {
    arms: Arms<'a>,
    weights: Weights,
    playlists: usize,
    round: u32,
    rng: Pcg32,
}

impl<'a> Pooled<'a> {
    pub(super) fn new(public: Public<'a>, rng: Pcg32) -> Self {
        let arms = Arms::new(public);
        Self { weights: arms.weights(), arms, playlists: public.playlists, round: 0, rng }
    }

    /// Mean and standard deviation of each playlist's draw on a page for `user`.
    pub(super) fn scores(&self, user: u32) -> (Vec<f64>, Vec<f64>) {
        let mut means = vec![0.0; self.playlists];
        self.weights.scores(self.arms.row(user), &mut means);
        let sds = self.arms.variances(user).iter().map(|variance| SPREAD * variance.sqrt().max(1e-6));
        (means.iter().map(|mean| f64::from(*mean)).collect(), sds.collect())
    }
}

impl Policy for Pooled<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let mut pages = Vec::with_capacity(visitors.len());
        for user in visitors {
            let (means, sds) = self.scores(*user);
            let mut top = Top::default();
            for ((playlist, mean), sd) in (0u16..).zip(&means).zip(&sds) {
                top.draw(playlist, *mean, *sd, &mut self.rng);
            }
            pages.push(top.slate());
        }
        pages
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        let mut observed = vec![Vec::new(); self.playlists];
        for ((user, slate), stream) in visitors.iter().zip(slates).zip(streams) {
            for (position, playlist) in slate.iter().enumerate().take(Rule::AllSeen.seen(*stream)) {
                observed[usize::from(*playlist)].push((*user, *stream == Some(position)));
            }
        }
        self.arms.observe(observed);
        self.round += 1;
        let fits = match self.round {
            1 => FITS.0,
            2..=4 => FITS.1,
            round => u32::from(round <= SETTLED || round % 3 == 0),
        };
        for _ in 0..fits {
            self.arms.fit(true);
        }
        if fits == 0 {
            self.arms.fit(false);
        }
        self.weights = self.arms.weights();
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::tests::small;
    use super::super::world::{SLOTS, World};
    use super::*;
    use ears_only::page::Visible;
    use ears_only::policy::thompson::Posterior;
    use ears_only::policy::{self as core, Floors, PagePolicy, Policy as _};
    use ears_only::random::{Purpose, Seed};
    use ears_only::slate::{Candidates, Placed, PlacedShelf, Slate as CoreSlate};
    use ears_world::chance::{Draw, Key};

    /// The core's policy that this one draws from.
    fn thompson() -> PagePolicy {
        PagePolicy::of(core::Rule::Thompson { posterior: Posterior::NORMAL, floors: Floors::default() })
    }

    fn candidates(means: &[f64], sds: Vec<f64>, cards: usize) -> Candidates {
        let mut candidates = Candidates::free(vec![0.0], &[means.to_vec()], Visible { shelves: 1, cards });
        candidates.card_spread = sds;
        candidates
    }

    /// Propensities of the first `cards` places of a page.
    fn conditionals(means: &[f64], sds: Vec<f64>, slate: &Slate, cards: usize) -> Vec<f64> {
        let placed = |index: u32| Placed { index, propensity: 1.0 };
        let page = CoreSlate {
            shelves: vec![PlacedShelf { placed: placed(0), cards: 0..SLOTS }],
            cards: slate.iter().map(|playlist| placed(u32::from(*playlist))).collect(),
            ..CoreSlate::default()
        };
        let judged = thompson().propensities(&candidates(means, sds, cards), &page).unwrap();
        judged.cards[..cards].iter().map(|card| card.propensity).collect()
    }

    /// A policy that has learned from some rounds.
    fn learned(world: &World, rounds: u32, visitors: u32) -> Pooled<'_> {
        let mut policy = Pooled::new(world.public(), Seed::from_number(2).stream(Purpose::Rank, 0));
        for round in 0..rounds {
            let visitors = world.visitors(2, round, visitors);
            let slates = policy.show(&visitors);
            let luck = Key::new(2, Draw::Play).with(u64::from(round));
            let streams: Vec<Option<usize>> = (0u64..)
                .zip(visitors.iter().zip(&slates))
                .map(|(visitor, (user, slate))| world.first_stream(luck.with(visitor), *user, slate))
                .collect();
            policy.learn(&visitors, &slates, &streams);
        }
        policy
    }

    #[test]
    fn pages_of_a_segment_fill_with_what_it_likes() {
        let world = small();
        let mut policy = learned(&world, 4, 300);
        for segment in 0..3u32 {
            let slates = policy.show(&[segment; 50]);
            let liked = |playlist: &u16| u32::from(*playlist) / 10 == segment;
            let share = slates.iter().flatten().filter(|p| liked(p)).count() as f64 / (50 * SLOTS) as f64;
            // By chance it is a third.
            assert!(share > 0.5, "{segment} {share}");
        }
    }

    #[test]
    fn first_cards_are_drawn_as_often_as_the_core_says() {
        let world = small();
        let mut policy = learned(&world, 1, 30);
        let (means, sds) = policy.scores(7);
        let stated = thompson().first_card_marginals(&candidates(&means, sds, 1));
        let pages = 40_000;
        let mut drawn = [0.0; 30];
        for slate in policy.show(&vec![7; pages]) {
            drawn[usize::from(slate[0])] += 1.0;
        }
        // Cells that are expected less than ten times are taken together.
        let (mut chi, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
        let mut add = |drawn: f64, wanted: f64| {
            chi += (drawn - wanted) * (drawn - wanted) / wanted;
            cells += 1.0;
        };
        for (drawn, stated) in drawn.iter().zip(&stated) {
            let wanted = stated * pages as f64;
            if wanted < 10.0 { rare = (rare.0 + drawn, rare.1 + wanted) } else { add(*drawn, wanted) }
        }
        add(rare.0, rare.1.max(1e-3));
        // Wilson and Hilferty (1931): the cube root of chi-square is nearly normal; 5 of it is a false alarm once in 3.5 million.
        let free: f64 = cells - 1.0;
        let z = (libm::cbrt(chi / free) - (1.0 - 2.0 / (9.0 * free))) / (2.0 / (9.0 * free)).sqrt();
        assert!(free >= 3.0 && z < 5.0, "{chi} on {free}");
    }

    #[test]
    fn importance_weights_have_mean_one() {
        let world = small();
        let mut policy = learned(&world, 1, 60);
        // The target draws with nine tenths of the width: it can show every page that the policy can, and no other.
        let narrower = |sds: &[f64]| -> Vec<f64> { sds.iter().map(|sd| 0.9 * sd).collect() };
        let users: Vec<u32> = (0..240).map(|page| page % 60).collect();
        let mut weights = [const { Vec::new() }; 3];
        for (user, slate) in users.iter().zip(policy.show(&users)) {
            let (means, sds) = policy.scores(*user);
            let target = conditionals(&means, narrower(&sds), &slate, 3);
            let logged = conditionals(&means, sds, &slate, 3);
            let mut weight = 1.0;
            for (place, (target, logged)) in target.iter().zip(&logged).enumerate() {
                weight *= target / logged;
                weights[place].push(weight);
            }
        }
        for (place, weights) in weights.iter().enumerate() {
            let count = weights.len() as f64;
            let mean = weights.iter().sum::<f64>() / count;
            let variance = weights.iter().map(|w| (w - mean) * (w - mean)).sum::<f64>() / (count - 1.0);
            // Three prefixes at 5.2 standard errors: a false alarm once in 1.6 million.
            assert!((mean - 1.0).abs() < 5.2 * (variance / count).sqrt(), "prefix {}: {mean}", place + 1);
            assert!(variance > 0.0);
        }
    }
}
