//! What many records say together: composition of one person's records, and what a crowd hides of one record.
//!
//! Both are exact sums over a finite distribution, not bounds on moments. A record of epsilon e is judged as a bit that lies with
//! chance 1 / (1 + e^e): no mechanism of that epsilon, whatever its number of answers, tells more (P. Kairouz, S. Oh, P. Viswanath 2015,
//! "The composition theorem for differential privacy", ICML, Theorem 3.4), and a listener may choose what to do next by what was
//! sent before.

use crate::math::{exp, ln, sigmoid};

/// Most records that are composed: more than a year of weeks, so that a year's table is always exact.
pub const MAX_COMPOSED: usize = 366;

/// Largest epsilon of one record here, in thousandths; beyond it a record hides nothing worth computing.
const MOST_MILLI: u32 = 20_000;
/// Added to every delta of a crowd: far above what rounding can take away, far below any delta of use.
const SLACK: f64 = 1e-14;
/// Terms of a binomial distribution this far below its largest are left out; all of them together stay far below [`SLACK`].
const NEGLIGIBLE: f64 = 1e-24;

/// The joint privacy loss of several records of one person.
///
/// # References
/// J. Murtagh, S. Vadhan (2016), "The complexity of computing the optimal composition of differential privacy", TCC: the sum over
/// subsets of lies, here grouped by their total loss, which lies on a lattice since epsilons are whole thousandths.
#[derive(Clone, Debug)]
pub struct Composition {
    /// Distribution of the loss under the person's own truth; entry k has loss (2 k step - total) / 1000.
    own: Vec<f64>,
    /// Thousandths between neighbours, halved.
    step: u32,
    total: u32,
}

impl Composition {
    /// Composes records with these epsilons in thousandths, in any order. Zeros, records beyond [`MAX_COMPOSED`] and records of more
    /// than 20 are refused by `None`.
    #[must_use]
    pub fn of(milli: &[u32]) -> Option<Self> {
        if milli.len() > MAX_COMPOSED || milli.iter().any(|milli| *milli == 0 || *milli > MOST_MILLI) {
            return None;
        }
        let step = milli.iter().copied().fold(0, greatest_common_divisor).max(1);
        let mut own = vec![1.0];
        for milli in milli {
            let truth = sigmoid(f64::from(*milli) / 1_000.0);
            let shift = (milli / step) as usize;
            let mut next = vec![0.0; own.len() + shift];
            for (at, chance) in own.iter().enumerate() {
                next[at] += chance * (1.0 - truth);
                next[at + shift] += chance * truth;
            }
            own = next;
        }
        Some(Self { own, step, total: milli.iter().sum() })
    }

    /// Sum of the epsilons: what holds with delta 0.
    #[must_use]
    pub fn total(&self) -> f64 {
        f64::from(self.total) / 1_000.0
    }

    fn loss(&self, at: usize) -> f64 {
        (2.0 * at as f64 * f64::from(self.step) - f64::from(self.total)) / 1_000.0
    }

    /// Chance of the same answers had the person been another: the distribution read backwards.
    fn other(&self, at: usize) -> f64 {
        self.own[self.own.len() - 1 - at]
    }

    /// The smallest delta for which all records together are (epsilon, delta)-private: max over events of P - e^epsilon Q.
    #[must_use]
    pub fn delta(&self, epsilon: f64) -> f64 {
        let (mut own, mut other) = (0.0, 0.0);
        for at in (0..self.own.len()).rev().take_while(|at| self.loss(*at) > epsilon) {
            own += self.own[at];
            other += self.other(at);
        }
        if own == 0.0 { 0.0 } else { (own - exp(epsilon) * other).max(0.0) }
    }

    /// The smallest epsilon for which all records together are (epsilon, delta)-private; delta 0 gives the sum of the epsilons.
    ///
    /// Solved exactly: between two neighbouring losses delta is a straight line in e^epsilon.
    #[must_use]
    pub fn epsilon(&self, delta: f64) -> f64 {
        let (mut own, mut other) = (0.0, 0.0);
        for at in (0..self.own.len()).rev() {
            own += self.own[at];
            other += self.other(at);
            let below = if at == 0 { 0.0 } else { self.loss(at - 1).max(0.0) };
            if own - exp(below) * other > delta {
                // Not `clamp`, whose message would bring the printing of numbers into the browser's module.
                return ln((own - delta) / other).max(below).min(self.loss(at));
            }
            if below == 0.0 {
                break;
            }
        }
        0.0
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// What is known of the randomiser of a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Everybody sends one bit by randomised response: 2 / (1 + e^epsilon) of them send a fair coin, whatever their truth.
    Bits,
    /// Any mechanism of that epsilon: e^-epsilon of them may be taken for copies of either answer.
    Any,
}

/// Delta of one record among `records` that were shuffled honestly, at `epsilon`.
///
/// One person answers; of the others C ~ Bin(records - 1, share) answer with a fair coin and the rest are known to the attacker. What
/// is left is to tell the person's answer from its opposite in the sum, and delta is the expected hockey-stick divergence over C, summed
/// term by term. An upper bound of the exact value, since the attacker is told which answers are coins.
///
/// # Shapes and ranges
/// - `local`: epsilon of one record, above 0; `records`: at least 1, the person's own among them.
/// - returns a value in [0, 1], above the exact one also after rounding.
///
/// # References
/// V. Feldman, A. McMillan, K. Talwar (2021), "Hiding among the clones", FOCS, Theorem 3.1 ([`Crowd::Any`]); B. Balle, J. Bell,
/// A. Gascón, K. Nissim (2019), "The privacy blanket of the shuffle model", CRYPTO ([`Crowd::Bits`]).
#[must_use]
pub fn shuffled_delta(epsilon: f64, local: f64, records: u32, crowd: Crowd) -> f64 {
    let (truth, grown) = (sigmoid(local), exp(epsilon));
    let (gain, cost) = (truth - grown * (1.0 - truth), grown * truth - (1.0 - truth));
    if gain <= 0.0 {
        return 0.0;
    }
    // With k ones among C coins and the person's bit, own / other = (truth rho + lie) / (lie rho + truth), rho = k / (C + 1 - k): above
    // e^epsilon where k > share (C + 1).
    let share = cost / (gain + cost);
    let mut coins: Option<Coins> = None;
    let mut sum = 0.0;
    let (first, chances) = binomial(records.saturating_sub(1), share_of_coins(local, crowd));
    for (at, chance) in chances.iter().enumerate() {
        let count = u64::from(first) + at as u64;
        let from = (share * (count + 1) as f64) as u64 + 1;
        let coins = coins.get_or_insert_with(|| Coins::new(count, from));
        coins.move_to(count, from);
        sum += chance * ((1.0 - grown) * coins.at_least + gain * coins.just_below).max(0.0);
    }
    (sum + SLACK).min(1.0)
}

/// Epsilon of one record among `records` that were shuffled honestly, at `delta`; never above `local`.
///
/// Found by bisection, the upper end of the last interval.
///
/// # Shapes and ranges
/// As [`shuffled_delta`]; `delta` in (0, 1). A crowd of 1 hides nothing.
#[must_use]
pub fn shuffled_epsilon(delta: f64, local: f64, records: u32, crowd: Crowd) -> f64 {
    if records < 2 || shuffled_delta(local * (1.0 - 1e-12), local, records, crowd) > delta {
        return local;
    }
    if shuffled_delta(0.0, local, records, crowd) <= delta {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, local);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if shuffled_delta(middle, local, records, crowd) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The closed form that [`shuffled_epsilon`] replaces; `None` where it does not hold.
///
/// # References
/// Feldman, McMillan, Talwar (2021), Theorem 3.1: ln(1 + (e^e - 1)/(e^e + 1) (8 sqrt(e^e ln(4/delta)/n) + 8 e^e/n)) for
/// e <= ln(n / (16 ln(2/delta))).
#[must_use]
pub fn shuffled_epsilon_closed(delta: f64, local: f64, records: u32) -> Option<f64> {
    let n = f64::from(records);
    let grown = exp(local);
    (grown * 16.0 * ln(2.0 / delta) <= n).then(|| {
        let spread = 8.0 * (grown * ln(4.0 / delta) / n).sqrt() + 8.0 * grown / n;
        ln(1.0 + (grown - 1.0) / (grown + 1.0) * spread)
    })
}

fn share_of_coins(local: f64, crowd: Crowd) -> f64 {
    match crowd {
        Crowd::Bits => 2.0 * sigmoid(-local),
        Crowd::Any => exp(-local),
    }
}

/// The binomial distribution of `trials` with chance `share`: its first value worth naming and the chances from there on.
///
/// By the ratio of neighbours from the mode outwards, then normalised: no factorials, and every rounding is relative.
fn binomial(trials: u32, share: f64) -> (u32, Vec<f64>) {
    let n = f64::from(trials);
    let odds = share / (1.0 - share);
    let mode = ((n + 1.0) * share) as u32;
    let mut below = Vec::new();
    let (mut at, mut chance) = (mode, 1.0);
    while at > 0 && chance > NEGLIGIBLE {
        chance *= f64::from(at) / ((n - f64::from(at) + 1.0) * odds);
        at -= 1;
        below.push(chance);
    }
    let first = at;
    let mut chances: Vec<f64> = below.into_iter().rev().collect();
    chances.push(1.0);
    let (mut at, mut chance) = (mode, 1.0);
    while at < trials && chance > NEGLIGIBLE {
        chance *= (n - f64::from(at)) * odds / (f64::from(at) + 1.0);
        at += 1;
        chances.push(chance);
    }
    let sum: f64 = chances.iter().sum();
    chances.iter_mut().for_each(|chance| *chance /= sum);
    (first, chances)
}

/// `count` fair coins and two chances of their number of ones, moved along with `count` and `from` in a few operations each.
struct Coins {
    count: u64,
    from: u64,
    /// P(ones = from - 1).
    just_below: f64,
    /// P(ones >= from).
    at_least: f64,
}

impl Coins {
    /// `from` is at least 1.
    fn new(count: u64, from: u64) -> Self {
        let (first, chances) = binomial(count as u32, 0.5);
        let chance = |ones: u64| ones.checked_sub(u64::from(first)).and_then(|at| chances.get(at as usize)).copied();
        let at_least = (u64::from(first)..).zip(&chances).filter(|(ones, _)| *ones >= from).map(|(_, chance)| chance).sum();
        Self { count, from, just_below: chance(from - 1).unwrap_or(0.0), at_least }
    }

    fn move_to(&mut self, count: u64, from: u64) {
        while self.count < count {
            // One more coin: half of those with one fewer than wanted now have enough.
            self.at_least += 0.5 * self.just_below;
            let ones = self.from - 1;
            let fewer = if self.count + 1 > ones { self.just_below * ones as f64 / (self.count + 1 - ones) as f64 } else { 0.0 };
            self.just_below = 0.5 * (self.just_below + fewer);
            self.count += 1;
        }
        while self.from < from {
            let next = if self.from <= self.count {
                self.just_below * (self.count + 1 - self.from) as f64 / self.from as f64
            } else {
                0.0
            };
            self.at_least = (self.at_least - next).max(0.0);
            self.just_below = next;
            self.from += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Max over events, by going through all 2^T patterns of lies.
    fn enumerated_delta(milli: &[u32], epsilon: f64) -> f64 {
        (0..1u32 << milli.len())
            .map(|lies| {
                let (mut own, mut other) = (1.0, 1.0);
                for (at, milli) in milli.iter().enumerate() {
                    let truth = sigmoid(f64::from(*milli) / 1_000.0);
                    let (a, b) = if lies >> at & 1 == 1 { (1.0 - truth, truth) } else { (truth, 1.0 - truth) };
                    own *= a;
                    other *= b;
                }
                (own - exp(epsilon) * other).max(0.0)
            })
            .sum()
    }

    #[test]
    fn composition_equals_the_enumeration_of_all_lies() {
        for milli in [&[1_000; 6][..], &[250, 500, 1_000, 1_000, 250], &[500, 333], &[1_000], &[250; 12]] {
            let composed = Composition::of(milli).unwrap();
            assert!((composed.own.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            for step in 0..60 {
                let epsilon = f64::from(step) * 0.1;
                let (found, want) = (composed.delta(epsilon), enumerated_delta(milli, epsilon));
                assert!((found - want).abs() < 1e-14, "{milli:?} {epsilon}: {found} {want}");
                // Epsilon undoes delta, wherever delta is not flat at 0.
                if want > 1e-9 {
                    assert!((composed.epsilon(found) - epsilon).abs() < 1e-6, "{milli:?} {epsilon}");
                }
            }
            assert!((composed.epsilon(0.0) - composed.total()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_year_of_records_has_the_known_epsilon() {
        // research values by another route: binomial tables of SciPy and bisection.
        let at = |milli: u32, records: usize| Composition::of(&vec![milli; records]).unwrap().epsilon(1e-6);
        for (milli, records, want) in [
            (1_000, 52, 49.15),
            (1_000, 28, 27.99),
            (1_000, 8, 8.00),
            (1_000, 365, 244.63),
            (500, 52, 20.89),
            (500, 28, 13.13),
            (250, 52, 9.15),
            (250, 28, 6.00),
            (250, 365, 32.86),
        ] {
            let found = at(milli, records);
            assert!((found - want).abs() <= 0.0051, "{records} records of {milli}: {found}, wanted {want}");
        }
        // A record more never costs less, and the order does not count.
        assert!(at(1_000, 53) > at(1_000, 52));
        let mixed = [vec![250; 10], vec![1_000; 30], vec![500; 12]].concat();
        let turned: Vec<u32> = mixed.iter().rev().copied().collect();
        let (a, b) = (Composition::of(&mixed).unwrap().epsilon(1e-6), Composition::of(&turned).unwrap().epsilon(1e-6));
        assert!((a - b).abs() < 1e-9 && a < 38.5 && a > at(1_000, 30), "{a} {b}");
    }

    #[test]
    fn what_cannot_be_composed_is_refused() {
        assert!(Composition::of(&[0]).is_none());
        assert!(Composition::of(&[20_001]).is_none());
        assert!(Composition::of(&vec![1_000; MAX_COMPOSED + 1]).is_none());
        assert_eq!(Composition::of(&[]).unwrap().epsilon(1e-6), 0.0);
    }

    /// Exact delta of one shuffled bit: worst over what the others' true bits are, both ways.
    fn exact_delta(epsilon: f64, local: f64, records: usize) -> f64 {
        let truth = sigmoid(local);
        let add = |counts: &[f64], chance: f64| {
            let mut next = vec![0.0; counts.len() + 1];
            for (at, c) in counts.iter().enumerate() {
                next[at] += c * (1.0 - chance);
                next[at + 1] += c * chance;
            }
            next
        };
        let stick = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| (p - exp(epsilon) * q).max(0.0)).sum::<f64>();
        (0..records)
            .map(|ones| {
                let others = (1..records).fold(vec![1.0], |counts, i| add(&counts, if i <= ones { truth } else { 1.0 - truth }));
                let (yes, no) = (add(&others, truth), add(&others, 1.0 - truth));
                stick(&yes, &no).max(stick(&no, &yes))
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn the_crowd_is_never_below_the_exact_enumeration() {
        for local in [0.25, 0.5, 1.0, 2.0, 4.0] {
            for records in [1, 2, 3, 7, 20, 60] {
                for step in 0..12 {
                    let epsilon = local * f64::from(step) / 12.0;
                    let exact = exact_delta(epsilon, local, records);
                    let bits = shuffled_delta(epsilon, local, records as u32, Crowd::Bits);
                    let any = shuffled_delta(epsilon, local, records as u32, Crowd::Any);
                    assert!(bits >= exact, "{local} {records} {epsilon}: {bits} below {exact}");
                    // Fewer copies may be assumed of any mechanism than of a bit.
                    assert!(any >= bits - 1e-15, "{local} {records} {epsilon}: {any} {bits}");
                }
            }
        }
        // One record alone: exactly that of randomised response.
        let alone = sigmoid(1.0) - exp(0.3) * sigmoid(-1.0);
        assert!((shuffled_delta(0.3, 1.0, 1, Crowd::Bits) - alone).abs() < 1e-13);
    }

    /// The same sum without the running chances: every term from its own distribution.
    fn slow_delta(epsilon: f64, local: f64, records: u32, crowd: Crowd) -> f64 {
        let truth = sigmoid(local);
        let (first, chances) = binomial(records - 1, share_of_coins(local, crowd));
        (first..)
            .zip(chances)
            .map(|(count, weight)| {
                let (start, coins) = binomial(count, 0.5);
                let of = |ones: i64| {
                    usize::try_from(ones - i64::from(start)).ok().and_then(|at| coins.get(at)).copied().unwrap_or(0.0)
                };
                let stick: f64 = (0..=i64::from(count) + 1)
                    .map(|k| {
                        let (own, other) = (truth * of(k - 1) + (1.0 - truth) * of(k), (1.0 - truth) * of(k - 1) + truth * of(k));
                        (own - exp(epsilon) * other).max(0.0)
                    })
                    .sum();
                weight * stick
            })
            .sum()
    }

    #[test]
    fn the_running_sum_equals_the_slow_one() {
        for (epsilon, local, records) in [(0.1, 1.0, 300), (0.0, 0.5, 40), (0.7, 1.0, 5), (0.02, 0.25, 900), (1.2, 2.0, 200)] {
            for crowd in [Crowd::Bits, Crowd::Any] {
                let (fast, slow) = (shuffled_delta(epsilon, local, records, crowd), slow_delta(epsilon, local, records, crowd));
                assert!((fast - slow).abs() < 5e-14, "{epsilon} {local} {records} {crowd:?}: {fast} {slow}");
            }
        }
    }

    #[test]
    fn crowds_have_the_known_epsilons_and_beat_the_closed_form_fivefold() {
        let at = |local, records, crowd| shuffled_epsilon(1e-6, local, records, crowd);
        for (local, records, bits, any) in [
            (1.0, 1_000, 0.1487, 0.1825),
            (1.0, 10_000, 0.0432, 0.0530),
            (1.0, 100_000, 0.0124, 0.0153),
            (1.0, 1_000_000, 0.0035, 0.0043),
            (0.5, 100_000, 0.0052, 0.0058),
            (2.0, 100_000, 0.0332, 0.0450),
            (4.0, 100_000, 0.1182, 0.1698),
        ] {
            // The references sum over 160 groups, which can only lie above; ours is the exact sum.
            for (found, want) in [(at(local, records, Crowd::Bits), bits), (at(local, records, Crowd::Any), any)] {
                assert!(found <= want + 5e-5 && found > 0.93 * want, "{local} {records}: {found}, wanted {want}");
            }
        }
        let found = at(1.0, 100_000, Crowd::Bits);
        assert!(found <= 0.0125);
        assert!(shuffled_epsilon_closed(1e-6, 1.0, 100_000).unwrap() >= 5.0 * found);
        assert_eq!(shuffled_epsilon_closed(1e-6, 4.0, 1_000), None);
    }

    #[test]
    fn a_crowd_of_one_hides_nothing_and_a_bigger_one_more() {
        assert_eq!(shuffled_epsilon(1e-6, 1.0, 1, Crowd::Bits), 1.0);
        let mut last = 1.0;
        for records in [2, 10, 100, 1_000, 10_000] {
            let found = shuffled_epsilon(1e-4, 1.0, records, Crowd::Bits);
            assert!(found <= last, "{records}");
            last = found;
        }
        assert_eq!(shuffled_epsilon(0.6, 1.0, 10, Crowd::Bits), 0.0);
    }
}
