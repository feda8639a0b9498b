//! Thompson sampling with a Beta posterior for each segment and playlist.
//!
//! Of hundreds of draws for a page only the twelve highest matter. So a threshold is taken for each segment such that about
//! [`EXPECTED`] draws lie above it; which ones do is a coin for each playlist with its exact tail, and only those are drawn, from
//! the Beta above the threshold. The pages have the same distribution as when everything is drawn.

use ears_only::math::{exp, ln, ln_1p};
use ears_only::random::unit;
use rand_pcg::Pcg32;

use super::policy::{Policy, Rule};
use super::segment::Counts;
use super::world::{Public, SLOTS, Slate};

/// Draws wanted above a segment's threshold.
const EXPECTED: f64 = 32.0;
/// The threshold stays while the number expected above it is within this factor.
const SLACK: f64 = 1.2;

pub(super) struct Beta<'a> {
    counts: Counts<'a>,
    prior: (f64, f64),
    rule: Rule,
    /// For each segment: above it lie about [`EXPECTED`] draws.
    thresholds: Vec<f64>,
    /// Each cell's chance to be drawn above the threshold.
    tails: Vec<f64>,
    /// Cells that learned something since their tail was computed.
    stale: Vec<bool>,
    rng: Pcg32,
}

impl<'a> Beta<'a> {
    /// Posteriors that start at Beta(`prior`), both at least 1.
    pub(super) fn new(public: Public<'a>, prior: (f64, f64), rule: Rule, rng: Pcg32) -> Self {
        let cells = public.segments * public.playlists;
        let thresholds = vec![prior.0 / (prior.0 + prior.1); public.segments];
        Self { counts: Counts::new(public), prior, rule, thresholds, tails: vec![0.0; cells], stale: vec![true; cells], rng }
    }

    fn posterior(&self, segment: usize, playlist: usize) -> (f64, f64) {
        let cell = segment * self.counts.public.playlists + playlist;
        let (streamed, shown) = (f64::from(self.counts.streamed[cell]), f64::from(self.counts.shown[cell]));
        (self.prior.0 + streamed, self.prior.1 + shown - streamed)
    }

    /// Brings a segment's threshold and tails up to date.
    fn refresh(&mut self, segment: usize) {
        let playlists = self.counts.public.playlists;
        let row = segment * playlists;
        let expected = EXPECTED.min(0.6 * playlists as f64);
        let (mut low, mut high) = (0.0, 1.0);
        let mut all = false;
        loop {
            let threshold = self.thresholds[segment];
            for playlist in 0..playlists {
                if all || self.stale[row + playlist] {
                    let (a, b) = self.posterior(segment, playlist);
                    self.tails[row + playlist] = beta_above(a, b, threshold);
                    self.stale[row + playlist] = false;
                }
            }
            let above: f64 = self.tails[row..row + playlists].iter().sum();
            if above > expected * SLACK {
                low = threshold;
            } else if above < expected / SLACK {
                high = threshold;
            } else {
                return;
            }
            // Small steps while one end is open: thresholds move little from round to round.
            self.thresholds[segment] = match (low > 0.0, high < 1.0) {
                (true, false) => (1.05 * threshold).min(0.5 + 0.5 * threshold),
                (false, true) => threshold / 1.05,
                _ => 0.5 * (low + high),
            };
            all = true;
        }
    }

    fn slate(&mut self, segment: usize, draws: &mut Vec<(f64, u16)>) -> Slate {
        draws.clear();
        let playlists = self.counts.public.playlists;
        let threshold = self.thresholds[segment];
        for playlist in 0..playlists {
            let tail = self.tails[segment * playlists + playlist];
            if unit(&mut self.rng) < tail {
                let (a, b) = self.posterior(segment, playlist);
                draws.push((draw_above(a, b, threshold, tail, &mut self.rng), playlist as u16));
            }
        }
        if draws.len() < SLOTS {
            // The rest lies below the threshold.
            let above: Vec<u16> = draws.iter().map(|(_, playlist)| *playlist).collect();
            for playlist in (0..playlists as u16).filter(|playlist| !above.contains(playlist)) {
                let (a, b) = self.posterior(segment, usize::from(playlist));
                draws.push((draw_below(a, b, threshold, &mut self.rng), playlist));
            }
        }
        draws.sort_unstable_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
        std::array::from_fn(|slot| draws[slot].1)
    }
}

impl Policy for Beta<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        for segment in 0..self.counts.public.segments {
            self.refresh(segment);
        }
        let mut draws = Vec::new();
        let mut pages = Vec::with_capacity(visitors.len());
        for user in visitors {
            pages.push(self.slate(self.counts.public.segment(*user), &mut draws));
        }
        pages
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        let stale = &mut self.stale;
        self.counts.learn(self.rule, visitors, slates, streams, |cell| stale[cell] = true);
    }
}

/// Chance that Beta(a, b) lies above x: the regularised incomplete beta function, by its continued fraction.
///
/// # References
/// W. H. Press et al. (2007), "Numerical Recipes", 3rd edition, section 6.4, with the modified Lentz method.
fn beta_above(a: f64, b: f64, x: f64) -> f64 {
    if a == 1.0 {
        return exp(b * ln_1p(-x));
    }
    let front = exp(libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * ln(x) + b * ln_1p(-x));
    if x < (a + 1.0) / (a + b + 2.0) { 1.0 - front * fraction(a, b, x) / a } else { front * fraction(b, a, 1.0 - x) / b }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let guard = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..400 {
        let m = f64::from(m);
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / guard(1.0 + term * d);
            c = guard(1.0 + term / c);
            h *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

/// A draw from Beta(a, b), a and b at least 1, given that it lies above x, which happens with chance `tail`.
///
/// Beyond the mode the density lies under the exponential that touches it in x (it is log-concave): rejection from that one.
fn draw_above(a: f64, b: f64, x: f64, tail: f64, rng: &mut Pcg32) -> f64 {
    if a == 1.0 {
        return 1.0 - exp(ln(tail * (1.0 - unit(rng))) / b);
    }
    let fall = (b - 1.0) / (1.0 - x) - (a - 1.0) / x;
    if tail > 0.3 || fall <= 0.0 {
        loop {
            let value = draw(a, b, rng);
            if value > x {
                return value;
            }
        }
    }
    loop {
        let step = -ln(1.0 - unit(rng)) / fall;
        let value = x + step;
        if value < 1.0 {
            let ratio = (a - 1.0) * ln(value / x) + (b - 1.0) * ln((1.0 - value) / (1.0 - x)) + fall * step;
            if unit(rng) < exp(ratio) {
                return value;
            }
        }
    }
}

/// A draw from Beta(a, b) given that it lies at most at x.
fn draw_below(a: f64, b: f64, x: f64, rng: &mut Pcg32) -> f64 {
    let above = beta_above(a, b, x);
    loop {
        // The inverse where there is one: rejection would be slow when nearly everything lies above.
        let value = if a == 1.0 { 1.0 - exp(ln(above + (1.0 - above) * unit(rng)) / b) } else { draw(a, b, rng) };
        if value <= x {
            return value;
        }
    }
}

/// A draw from Beta(a, b), a and b at least 1: the ratio of two Gammas.
fn draw(a: f64, b: f64, rng: &mut Pcg32) -> f64 {
    let x = gamma(a, rng);
    x / (x + gamma(b, rng))
}

/// A draw from Gamma(shape, 1), shape at least 1.
///
/// # References
/// G. Marsaglia, W. W. Tsang (2000), "A simple method for generating gamma variables", ACM TOMS 26(3).
fn gamma(shape: f64, rng: &mut Pcg32) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = 1.0 + c * x;
        if v > 0.0 {
            let v = v * v * v;
            if ln(1.0 - unit(rng)) < 0.5 * x * x + d - d * v + d * ln(v) {
                return d * v;
            }
        }
    }
}

/// A standard normal number by the polar method (Marsaglia and Bray 1964).
pub(super) fn normal(rng: &mut Pcg32) -> f64 {
    loop {
        let (x, y) = (2.0 * unit(rng) - 1.0, 2.0 * unit(rng) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * ln(square) / square).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::tests::small;
    use super::*;
    use ears_only::random::{Purpose, Seed};

    #[test]
    fn the_tail_of_the_beta_is_right() {
        // Whole parameters: a binomial sum. P(Beta(2, 3) > x) = 1 - 6 x^2 + 8 x^3 - 3 x^4.
        for x in [0.05, 0.2, 0.5, 0.9] {
            assert!((beta_above(2.0, 3.0, x) - (1.0 - 6.0 * x * x + 8.0 * x * x * x - 3.0 * x * x * x * x)).abs() < 1e-12);
        }
        assert!((beta_above(1.0, 99.0, 0.01) - exp(99.0 * ln(0.99))).abs() < 1e-12);
        // By symmetry.
        assert!((beta_above(500.0, 500.0, 0.5) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn pages_have_the_distribution_of_full_draws() {
        let world = small();
        let rng = |index| Seed::from_number(9).stream(Purpose::Host, index);
        let mut policy = Beta::new(world.public(), (1.0, 20.0), Rule::AllSeen, rng(0));
        for playlist in 0..30 {
            policy.counts.shown[playlist] = 3 * playlist as u32;
            policy.counts.streamed[playlist] = playlist as u32 / 4;
        }
        let pages = 40_000;
        let users = vec![0u32; pages];
        let mut fast = [[0.0f64; 2]; 30];
        for slate in policy.show(&users) {
            fast[usize::from(slate[0])][0] += 1.0;
            fast[usize::from(slate[11])][1] += 1.0;
        }
        let mut plain = [[0.0; 2]; 30];
        let mut rng = rng(1);
        for _ in 0..pages {
            let mut draws: Vec<(f64, usize)> = (0..30)
                .map(|i| {
                    let (a, b) = policy.posterior(0, i);
                    (draw(a, b, &mut rng), i)
                })
                .collect();
            draws.sort_by(|a, b| b.0.total_cmp(&a.0));
            plain[draws[0].1][0] += 1.0;
            plain[draws[11].1][1] += 1.0;
        }
        // The difference of two counts has variance at most their sum; 60 comparisons at five standard deviations: a false alarm
        // once in 29,000 seeds.
        for (a, b) in fast.iter().flatten().zip(plain.iter().flatten()) {
            assert!((a - b).abs() <= 5.0 * (a + b + 1.0_f64).sqrt(), "{a} {b}");
        }
    }
}
