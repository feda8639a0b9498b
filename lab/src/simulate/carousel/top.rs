//! The highest of many independent normal draws.

use ears_only::random::unit;
use rand_pcg::Pcg32;

use super::world::{SLOTS, Slate};

/// Keeps the highest twelve scores.
#[derive(Clone, Debug)]
pub(super) struct Top {
    /// Falling.
    scores: [f64; SLOTS],
    cards: Slate,
}

impl Default for Top {
    fn default() -> Self {
        Self { scores: [f64::NEG_INFINITY; SLOTS], cards: [u16::MAX; SLOTS] }
    }
}

impl Top {
    /// Draws the score of a card from N(`mean`, `sd`^2).
    ///
    /// The draw is -quantile(u) with u uniform. When u says that it lies below the twelve kept, its value is not needed.
    pub(super) fn draw(&mut self, card: u16, mean: f64, sd: f64, rng: &mut Pcg32) {
        let u = unit(rng);
        let needed = (self.scores[SLOTS - 1] - mean) / sd;
        if u < tail_at_most(needed) {
            self.put(card, mean - sd * normal_quantile(u.max(1e-300)));
        }
    }

    /// Puts a card in its place; of equal scores the first put stays first.
    pub(super) fn put(&mut self, card: u16, score: f64) {
        if score <= self.scores[SLOTS - 1] {
            return;
        }
        let mut place = SLOTS - 1;
        while place > 0 && self.scores[place - 1] < score {
            self.scores[place] = self.scores[place - 1];
            self.cards[place] = self.cards[place - 1];
            place -= 1;
        }
        self.scores[place] = score;
        self.cards[place] = card;
    }

    /// The cards by falling score.
    pub(super) fn slate(&self) -> Slate {
        self.cards
    }
}

/// An upper bound of the chance that a standard normal number exceeds x: cheap, for most are far off.
fn tail_at_most(x: f64) -> f64 {
    // 1, 1/2, then Chernoff's bound on whole steps of a quarter.
    const STEP: f64 = 0.25;
    const BOUNDS: [f64; 25] = [
        0.5, 0.401_294, 0.308_538, 0.226_628, 0.158_656, 0.105_65, 0.066_808, 0.040_06, 0.022_751, 0.012_225, 0.006_21, 0.002_98,
        0.001_35, 5.771e-4, 2.327e-4, 8.842e-5, 3.168e-5, 1.07e-5, 3.398e-6, 1.018e-6, 2.867e-7, 7.61e-8, 1.9e-8, 4.47e-9,
        9.87e-10,
    ];
    if x < 0.0 { 1.0 } else { BOUNDS[((x / STEP) as usize).min(BOUNDS.len() - 1)] }
}

/// The standard normal quantile.
///
/// # References
/// M. J. Wichura (1988), "Algorithm AS 241", Applied Statistics 37(3), PPND16: about 16 digits.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let ratio = |numerator: [f64; 8], denominator: [f64; 8], r: f64| {
        let value = |c: [f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * r + c);
        value(numerator) / value(denominator)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(
            [
                3.387_132_872_796_366_5,
                133.141_667_891_784_38,
                1_971.590_950_306_551_3,
                13_731.693_765_509_46,
                45_921.953_931_549_87,
                67_265.770_927_008_7,
                33_430.575_583_588_13,
                2_509.080_928_730_122_7,
            ],
            [
                1.0,
                42.313_330_701_600_91,
                687.187_007_492_057_9,
                5_394.196_021_424_751,
                21_213.794_301_586_597,
                39_307.895_800_092_71,
                28_729.085_735_721_943,
                5_226.495_278_852_854,
            ],
            r,
        );
    }
    let r = (-libm::log(if q < 0.0 { p } else { 1.0 - p })).sqrt();
    let size = if r <= 5.0 {
        ratio(
            [
                1.423_437_110_749_683_5,
                4.630_337_846_156_546,
                5.769_497_221_460_691,
                3.647_848_324_763_204_5,
                1.270_458_252_452_368_4,
                0.241_780_725_177_450_6,
                0.022_723_844_989_269_184,
                7.745_450_142_783_414e-4,
            ],
            [
                1.0,
                2.053_191_626_637_759,
                1.676_384_830_183_803_8,
                0.689_767_334_985_1,
                0.148_103_976_427_480_08,
                0.015_198_666_563_616_457,
                5.475_938_084_995_345e-4,
                1.050_750_071_644_416_9e-9,
            ],
            r - 1.6,
        )
    } else {
        ratio(
            [
                6.657_904_643_501_103,
                5.463_784_911_164_114,
                1.784_826_539_917_291_3,
                0.296_560_571_828_504_87,
                0.026_532_189_526_576_124,
                0.001_242_660_947_388_078_4,
                2.711_555_568_743_487_6e-5,
                2.010_334_399_292_288_1e-7,
            ],
            [
                1.0,
                0.599_832_206_555_887_9,
                0.136_929_880_922_735_8,
                0.014_875_361_290_850_615,
                7.868_691_311_456_132e-4,
                1.846_318_317_510_054_7e-5,
                1.421_511_758_316_446e-7,
                2.044_263_103_389_939_8e-15,
            ],
            r - 5.0,
        )
    };
    if q < 0.0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::random::{Purpose, Seed};

    #[test]
    fn the_quantile_inverts_the_distribution_and_the_bound_holds() {
        for i in -400..=700 {
            let x = f64::from(i) * 0.01;
            let tail = 0.5 * libm::erfc(x / std::f64::consts::SQRT_2);
            assert!((normal_quantile(tail) + x).abs() < 1e-9, "{x}");
            assert!(tail_at_most(x) >= tail, "{x}");
        }
    }

    #[test]
    fn draws_have_the_frequencies_of_plain_sampling() {
        let means: Vec<f64> = (0..40).map(|i| 0.1 * f64::from(i % 13)).collect();
        let sds: Vec<f64> = (0..40).map(|i| 0.2 + 0.05 * f64::from(i % 7)).collect();
        let mut rng = Seed::from_number(4).stream(Purpose::Host, 0);
        let mut fast = [[0.0f64; 40]; 2];
        let mut plain = [[0.0; 40]; 2];
        for _ in 0..30_000 {
            let mut top = Top::default();
            let mut all = Top::default();
            for card in 0..40u16 {
                let (mean, sd) = (means[usize::from(card)], sds[usize::from(card)]);
                top.draw(card, mean, sd, &mut rng);
                all.put(card, mean + sd * super::super::thompson::normal(&mut rng));
            }
            for (place, slot) in [0, 11].into_iter().enumerate() {
                fast[place][usize::from(top.slate()[slot])] += 1.0;
                plain[place][usize::from(all.slate()[slot])] += 1.0;
            }
        }
        // 80 comparisons at five standard deviations of the difference: a false alarm once in 21,000 seeds.
        for (a, b) in fast.iter().flatten().zip(plain.iter().flatten()) {
            assert!((a - b).abs() <= 5.0 * (a + b + 1.0_f64).sqrt(), "{a} {b}");
        }
    }
}
