//! The policy part of a bundle.

use super::set_number;
use crate::error::{Error, shown};
use crate::math::sigmoid;
use crate::policy::thompson::Posterior;
use crate::policy::{Floors, PagePolicy, Rule};
use crate::settings::{Field, field};

/// Names of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Two-level Plackett-Luce over scores, with a floor.
    PlackettLuce,
    /// Two-level Plackett-Luce over predicted chances, with a floor.
    Softmax,
    /// With chance epsilon a uniform page, else the greedy one.
    EpsilonPage,
    /// At each position: with chance epsilon a uniform candidate, else the best.
    Epsilon,
    /// Inverse gap weighting.
    SquareCb,
    /// The largest score + alpha standard deviations, with a floor.
    LinUcb,
    /// The order of independent draws from the posteriors of the scores, with a floor.
    Thompson,
    /// Uniform pages first, then the greedy order with a floor.
    ExploreThenCommit,
    /// Every page equally likely.
    Uniform,
    /// The server's order.
    Fixed,
    /// Cards by popularity, shelves by the popularity of their visible cards.
    Popularity,
}

impl PolicyKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::PlackettLuce,
        Self::Softmax,
        Self::EpsilonPage,
        Self::Epsilon,
        Self::SquareCb,
        Self::LinUcb,
        Self::Thompson,
        Self::ExploreThenCommit,
        Self::Uniform,
        Self::Fixed,
        Self::Popularity,
    ];

    /// The name in settings and decisions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlackettLuce => "plackett_luce",
            Self::Softmax => "softmax",
            Self::EpsilonPage => "epsilon_page",
            Self::Epsilon => "epsilon",
            Self::SquareCb => "squarecb",
            Self::LinUcb => "linucb",
            Self::Thompson => "thompson",
            Self::ExploreThenCommit => "explore_then_commit",
            Self::Uniform => "uniform",
            Self::Fixed => "fixed",
            Self::Popularity => "popularity",
        }
    }

    /// Whether pages follow the scores.
    #[must_use]
    pub fn is_personal(self) -> bool {
        !matches!(self, Self::Fixed | Self::Popularity)
    }

    /// What the policy's rule takes for a card: of its score, with `alpha` standard deviations on top for LinUCB. The orders of `fixed` and
    /// `popularity` follow other numbers, which it leaves alone.
    #[inline]
    #[must_use]
    pub fn card_logit(self, score: f64, temperature: f64) -> f64 {
        match self {
            Self::PlackettLuce => score / temperature,
            Self::Softmax => sigmoid(score) / temperature,
            Self::SquareCb => sigmoid(score),
            _ => score,
        }
    }

    /// Whether the standard deviations of the scores are needed.
    pub(crate) fn needs_spread(self) -> bool {
        matches!(self, Self::LinUcb | Self::Thompson)
    }
}

/// What a page falls back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The server's order.
    Fixed,
    /// By popularity.
    Popularity,
}

/// How pages are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicySettings {
    /// Which policy. Default: Plackett-Luce.
    pub kind: PolicyKind,
    /// Score units (softmax: units of chance) in which one card is e times likelier than another; > 0. Small is greedy, large is
    /// uniform. Default 0.025.
    pub temperature: f64,
    /// The same for shelves, in log-odds of the shelf value (softmax: units of shelf value). Default 0.03.
    pub shelf_temperature: f64,
    /// Uniform share of every draw of a shelf, in [0, 1]. Default 0.02; 0 for fixed and popularity, which then are deterministic and
    /// leave nothing that others could evaluate.
    pub floor_shelves: Option<f64>,
    /// Uniform share of every draw of a card, in [0, 1]. Default as for shelves.
    pub floor_cards: Option<f64>,
    /// For epsilon and epsilon on the page, in [0, 1]. Default 0.05.
    pub epsilon: f64,
    /// For SquareCB: larger is greedier, 0 is uniform. Default 100.
    pub gamma: f64,
    /// Standard deviations: added to the score by LinUCB, drawn by Thompson sampling in multiples of it. Default 1; 0 is greedy.
    pub alpha: f64,
    /// For explore-then-commit: number of uniform pages. Default 20.
    pub explore: f64,
    /// A card visible in one shelf is not drawn in a shelf below. Default: no.
    pub show_once: bool,
    /// Score units lost by a card of an artist who is visible already, half of it for the same family, >= 0. Default 0.
    pub diversity: f64,
    /// Score units lost for each nat between the listener's mix of families and the page's, >= 0. Default 0.
    pub calibration: f64,
    /// What the page falls back to. Default: the server's order.
    pub baseline: Baseline,
    /// Share of pages that are the baseline's, in [0, 0.9]; with them the device can tell when the policy is worse, and falls back.
    /// Default 0: no check.
    pub baseline_share: f64,
    /// Chance of falling back although the policy is not worse, in (0, 0.5]. Default 0.01.
    pub safety_level: f64,
    /// Plays for each page that the policy may lose against the baseline, in [0, 1). Default 0.
    pub safety_margin: f64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            kind: PolicyKind::PlackettLuce,
            temperature: 0.025,
            shelf_temperature: 0.03,
            floor_shelves: None,
            floor_cards: None,
            epsilon: 0.05,
            gamma: 100.0,
            alpha: 1.0,
            explore: 20.0,
            show_once: false,
            diversity: 0.0,
            calibration: 0.0,
            baseline: Baseline::Fixed,
            baseline_share: 0.0,
            safety_level: 0.01,
            safety_margin: 0.0,
        }
    }
}

/// Default floor of policies that follow the scores.
const FLOOR: f64 = 0.02;

impl PolicySettings {
    /// Reads `{kind, temperature, shelfTemperature, floorShelves, floorCards, epsilon, gamma, alpha, explore, showOnce, diversity,
    /// calibration, baseline, baselineShare, safetyLevel, safetyMargin}`.
    ///
    /// # Errors
    /// `bad_policy`, naming the field.
    pub(crate) fn read(&mut self, from: Field<'_>) -> Result<(), Error> {
        let fields = from.object(&[
            "kind",
            "temperature",
            "shelfTemperature",
            "floorShelves",
            "floorCards",
            "epsilon",
            "gamma",
            "alpha",
            "explore",
            "showOnce",
            "diversity",
            "calibration",
            "baseline",
            "baselineShare",
            "safetyLevel",
            "safetyMargin",
        ])?;
        let of = |name| field(fields, name, "bad_policy");
        if !of("kind").is_null() {
            let name = of("kind").text()?;
            self.kind = PolicyKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let known = PolicyKind::ALL.map(PolicyKind::name).join(", ");
                Error::settings("bad_policy", format!("kind must be one of {known}, got \"{name}\""))
            })?;
        }
        if !of("baseline").is_null() {
            self.baseline = match of("baseline").text()? {
                "fixed" => Baseline::Fixed,
                "popularity" => Baseline::Popularity,
                name => {
                    return Err(Error::settings(
                        "bad_policy",
                        format!("baseline must be one of fixed, popularity, got \"{name}\""),
                    ));
                }
            };
        }
        for (name, target) in [
            ("temperature", &mut self.temperature),
            ("shelfTemperature", &mut self.shelf_temperature),
            ("epsilon", &mut self.epsilon),
            ("gamma", &mut self.gamma),
            ("alpha", &mut self.alpha),
            ("explore", &mut self.explore),
            ("diversity", &mut self.diversity),
            ("calibration", &mut self.calibration),
            ("baselineShare", &mut self.baseline_share),
            ("safetyLevel", &mut self.safety_level),
            ("safetyMargin", &mut self.safety_margin),
        ] {
            set_number(target, of(name))?;
        }
        for (name, target) in [("floorShelves", &mut self.floor_shelves), ("floorCards", &mut self.floor_cards)] {
            if !of(name).is_null() {
                *target = Some(of(name).number()?);
            }
        }
        if !of("showOnce").is_null() {
            self.show_once = of("showOnce").flag()?;
        }
        Ok(())
    }

    /// Checks the settings as a whole.
    ///
    /// # Errors
    /// `bad_policy` for a value outside its range, naming it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let along = if matches!(self.kind, PolicyKind::SquareCb | PolicyKind::Thompson) { 0.0 } else { 1e6 };
        for (name, value, least, most) in [
            ("temperature", self.temperature, 1e-6, 1e6),
            ("shelfTemperature", self.shelf_temperature, 1e-6, 1e6),
            ("alpha", self.alpha, 0.0, 1e3),
            ("explore", self.explore, 0.0, 1e6),
            // Gaps between rewards and draws of posteriors know nothing of what stands above.
            ("diversity", self.diversity, 0.0, along),
            ("calibration", self.calibration, 0.0, along),
            ("baselineShare", self.baseline_share, 0.0, 0.9),
            ("safetyLevel", self.safety_level, 1e-9, 0.5),
            ("safetyMargin", self.safety_margin, 0.0, 0.999),
        ] {
            if !(least..=most).contains(&value) {
                return Err(Error::settings(
                    "bad_policy",
                    format!("{name} must be within {} and {} for this kind, got {}", shown(least), shown(most), shown(value)),
                ));
            }
        }
        self.policy(0).checked().map(|_| ())
    }

    fn floors(&self) -> Floors {
        let default = if self.kind.is_personal() { FLOOR } else { 0.0 };
        Floors { shelves: self.floor_shelves.unwrap_or(default), cards: self.floor_cards.unwrap_or(default) }
    }

    /// The policy of the decision with this number, from 0.
    #[must_use]
    pub fn policy(&self, decision: u64) -> PagePolicy {
        let floors = self.floors();
        let rule = match self.kind {
            PolicyKind::PlackettLuce | PolicyKind::Softmax => Rule::PlackettLuce(floors),
            PolicyKind::EpsilonPage => return PagePolicy::epsilon_page(self.epsilon),
            PolicyKind::Epsilon => Rule::Greedy(Floors::both(self.epsilon)),
            PolicyKind::SquareCb => Rule::SquareCb { gamma: self.gamma },
            PolicyKind::Thompson => Rule::Thompson { posterior: Posterior::NORMAL, floors },
            PolicyKind::ExploreThenCommit if (decision as f64) < self.explore => Rule::uniform(),
            PolicyKind::Uniform => Rule::uniform(),
            PolicyKind::LinUcb | PolicyKind::ExploreThenCommit | PolicyKind::Fixed | PolicyKind::Popularity => {
                Rule::Greedy(floors)
            }
        };
        if self.baseline_share > 0.0 {
            PagePolicy::beside_baseline(rule, self.baseline_share, floors)
        } else {
            PagePolicy::of(rule)
        }
    }

    /// The policy after falling back: the baseline alone, with the same floors.
    #[must_use]
    pub fn fallen_back(&self) -> Self {
        Self {
            kind: match self.baseline {
                Baseline::Fixed => PolicyKind::Fixed,
                Baseline::Popularity => PolicyKind::Popularity,
            },
            floor_shelves: Some(self.floors().shelves),
            floor_cards: Some(self.floors().cards),
            baseline_share: 0.0,
            ..*self
        }
    }
}
