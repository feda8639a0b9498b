//! Faults in what must be public: who is asked what, when, and what is written beside the answer.

use super::Fault;
use crate::check::{draws, table, twins};
use crate::fixture::{arm_card, weights};
use crate::subject::{ARM, EPSILON, Made, PADDING, PROPENSITY, Person, SLOT, Sent, Sources, Subject, Words};
use ears_only::clock::HOUR_MS;
use ears_only::error::Error;
use ears_only::log::DecisionId;
use ears_only::privacy::Manifest;
use ears_only::random::Entropy;
use ears_only::ranker::ContributionState;

pub(super) fn all() -> Vec<Fault> {
    let fault = |subject: Box<dyn Subject + Send>, what, caught_by| Fault { subject, what, caught_by };
    vec![
        fault(
            Box::new(Rewritten("exact propensity", |made| PROPENSITY.set(&made.record, (made.propensity * 65_536.0) as u64))),
            "the record carries the chance that the private policy gave the card",
            twins::NAME,
        ),
        fault(
            Box::new(Rewritten("marginal propensity", |made| {
                // One number for all listeners whose chances lie between two powers of two.
                let code = libm::floor(-libm::log2(made.propensity.max(1e-4)));
                PROPENSITY.set(&made.record, (65_536.0 * libm::exp2(-code - 0.5)) as u64)
            })),
            "the record carries the mean chance among listeners of a like kind",
            twins::NAME,
        ),
        fault(Box::new(OutcomeDependentSending), "a record is sent only if the card was played, or one time in two", draws::NAME),
        fault(Box::new(OutcomeDependentTime), "an answer of yes leaves an hour earlier", twins::NAME),
        fault(Box::new(HistoryDependentArm), "the arm is the listener's favourite, half of the time", twins::NAME),
        fault(Box::new(RedrawWhenHidden), "a card that the listener has hidden is drawn again", draws::CHI_SQUARE),
        fault(Box::new(WaitsForTheRightMood), "the probe waits for a visit that suits the listener", twins::NAME),
        fault(Box::new(WaitsForPayment), "the next probe waits while one is unpaid", twins::NAME),
        fault(Box::new(ScrollingStarts), "a part that a page grows by may carry the probe", twins::NAME),
        fault(
            Box::new(Rewritten("off-by-one arm", |made| {
                let arms = weights(made.manifest, SLOT.of(&made.record) as usize).len() as u64;
                ARM.set(&made.record, (ARM.of(&made.record) + 1) % arms.max(1))
            })),
            "the record names the arm after the one that was shown",
            table::NAME,
        ),
        fault(
            Box::new(Rewritten("epsilon index lies", |made| EPSILON.set(&made.record, (EPSILON.of(&made.record) + 2) % 3))),
            "the record states a smaller epsilon than its flip has",
            table::NAME,
        ),
        fault(
            Box::new(Rewritten("device in the padding", |made| PADDING.set(&made.record, made.person.0 % (1 << 25)))),
            "the zeros at the end carry a number of the device",
            table::NAME,
        ),
        fault(Box::new(DoubleSend), "a record is sent twice", twins::NAME),
    ]
}

/// A record rewritten before it leaves.
struct Rewritten(&'static str, fn(&Made<'_>) -> [u8; 16]);

impl Subject for Rewritten {
    fn name(&self) -> &'static str {
        self.0
    }

    fn send(&self, made: &Made<'_>) -> Vec<Sent> {
        vec![Sent { at: made.send_after, bytes: self.1(made) }]
    }
}

struct OutcomeDependentSending;

impl Subject for OutcomeDependentSending {
    fn name(&self) -> &'static str {
        "outcome-dependent sending"
    }

    fn send(&self, made: &Made<'_>) -> Vec<Sent> {
        let lucky = made.send_after.ms() % 2 == 0;
        if made.answer > 0 || lucky { vec![Sent { at: made.send_after, bytes: made.record }] } else { Vec::new() }
    }
}

struct OutcomeDependentTime;

impl Subject for OutcomeDependentTime {
    fn name(&self) -> &'static str {
        "outcome-dependent time"
    }

    fn send(&self, made: &Made<'_>) -> Vec<Sent> {
        let early = if made.answer > 0 { -HOUR_MS } else { 0 };
        vec![Sent { at: made.send_after.plus_ms(early), bytes: made.record }]
    }
}

struct DoubleSend;

impl Subject for DoubleSend {
    fn name(&self) -> &'static str {
        "double send"
    }

    fn send(&self, made: &Made<'_>) -> Vec<Sent> {
        vec![Sent { at: made.send_after, bytes: made.record }; 2]
    }
}

struct WaitsForTheRightMood;

impl Subject for WaitsForTheRightMood {
    fn name(&self) -> &'static str {
        "waits for the right mood"
    }

    fn takes_part(&self, person: Person, visit: usize) -> bool {
        person.key(30).with(visit as u64).below(2) == 0
    }
}

struct WaitsForPayment;

impl Subject for WaitsForPayment {
    fn name(&self) -> &'static str {
        "paying depends on listening"
    }

    fn holds_back(&self, stands: ContributionState) -> bool {
        stands == ContributionState::Ready
    }
}

struct ScrollingStarts;

impl Subject for ScrollingStarts {
    fn name(&self) -> &'static str {
        "scrolling starts a probe"
    }

    fn grows_from(&self, _: DecisionId) -> Option<DecisionId> {
        None
    }
}

/// The coin's 16 bytes, changed by what the device knows.
struct Bent<F: FnMut(&mut [u8], &mut Words)> {
    words: Words,
    bend: F,
}

impl<F: FnMut(&mut [u8], &mut Words)> Entropy for Bent<F> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.words.fill(bytes)?;
        if bytes.len() >= 6 {
            (self.bend)(bytes, &mut self.words);
        }
        Ok(())
    }
}

struct HistoryDependentArm;

impl Subject for HistoryDependentArm {
    fn name(&self) -> &'static str {
        "history-dependent arm"
    }

    fn sources(&self, person: Person, _: &Manifest, coin: Words, flip: Words) -> Sources {
        let favourite = (person.key(31).unit() * 65_535.0) as u16;
        let bend = move |bytes: &mut [u8], _: &mut Words| {
            if bytes[15] & 1 == 0 {
                bytes[4..6].copy_from_slice(&favourite.to_be_bytes());
            }
        };
        (Box::new(Bent { words: coin, bend }), Box::new(flip))
    }
}

struct RedrawWhenHidden;

impl Subject for RedrawWhenHidden {
    fn name(&self) -> &'static str {
        "redraw when ineligible"
    }

    fn sources(&self, person: Person, manifest: &Manifest, coin: Words, flip: Words) -> Sources {
        // The arm of the first slot by its weights; all slots of the checked manifest have the same.
        let table = weights(manifest, 0);
        let cards: Vec<Option<usize>> = (0..table.len()).map(|arm| arm_card(manifest, 0, arm)).collect();
        let arm_of = move |word: u16| {
            let mut upto = 0u32;
            table.iter().position(|weight| {
                upto += u32::from(*weight);
                u32::from(word) < upto
            })
        };
        let bend = move |bytes: &mut [u8], words: &mut Words| {
            for _ in 0..20 {
                let arm = arm_of(u16::from_be_bytes([bytes[4], bytes[5]]));
                let hidden = arm.and_then(|arm| cards.get(arm).copied().flatten()).is_some_and(|card| person.hides(card));
                if !hidden || words.fill(bytes).is_err() {
                    return;
                }
            }
        };
        (Box::new(Bent { words: coin, bend }), Box::new(flip))
    }
}
