//! The journal in a snapshot.

use super::{ARTISTS, FAMILIES, KINDS, Known, Mentions, load_row, placed, save_row};
use crate::history::{Fact, Facts, Lesson, MAX_EVENTS, MAX_LESSONS, MAX_SEEN};
use crate::log::DecisionId;
use crate::page::MAX_EMBEDDING;
use crate::store::{Tape, TapeReader};

/// The last facts: half of the most kept of either sort, again and again for each halving. Each has a header of bits: 0 heard, 1 skipped, 2-3 part of the day, 4 has a direction of its own, 5 has the
/// direction of the card's fact before. Directions stand in groups of seven bytes, so that each number takes at most eight.
pub(super) fn save_facts(tape: &mut Tape, mentions: &mut Mentions, facts: &Facts, halvings: u32) {
    let (seen, heard) = (facts.ring.len() - facts.listens, facts.listens);
    let mut left_out = [seen.saturating_sub(MAX_SEEN >> halvings), heard.saturating_sub(MAX_EVENTS >> halvings)];
    tape.count(facts.ring.len() - left_out[0] - left_out[1]);
    let mut last: Vec<Option<&[i8]>> = Vec::new();
    for fact in &facts.ring {
        let left_out = &mut left_out[usize::from(fact.ms.is_some())];
        if *left_out > 0 {
            *left_out -= 1;
            continue;
        }
        let place = mentions.card(fact.card);
        tape.whole(place);
        tape.time(fact.at);
        let place = place as usize;
        if last.len() <= place {
            last.resize(place + 1, None);
        }
        let known = last[place] == Some(&*fact.direction);
        let own = !known && !fact.direction.is_empty();
        let flags = [fact.ms.is_some(), fact.skipped, fact.bucket & 1 != 0, fact.bucket & 2 != 0, own, known];
        tape.whole(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u64::from(*flag)));
        if let Some(ms) = fact.ms {
            tape.whole(ms.into());
            tape.whole(mentions.name(ARTISTS, fact.artist));
            tape.whole(mentions.name(FAMILIES, fact.family));
        }
        if own {
            last[place] = Some(&fact.direction);
            tape.count(fact.direction.len());
            for group in fact.direction.chunks(7) {
                tape.whole(group.iter().rev().fold(0, |bits, step| bits << 8 | u64::from(*step as u8)));
            }
        }
    }
}

pub(super) fn load_fact(tape: &mut TapeReader, known: &Known, last: &mut Vec<Vec<i8>>) -> Fact {
    let card = known.card(tape);
    let at = tape.time();
    let flags = tape.whole();
    let flag = |bit: u32| flags >> bit & 1 != 0;
    let mut fact = Fact {
        card,
        at,
        ms: None,
        artist: 0,
        family: 0,
        bucket: (flags >> 2 & 3) as usize,
        skipped: flag(1),
        direction: Vec::new(),
    };
    if flag(0) {
        fact.ms = Some(tape.number());
        fact.artist = placed(tape, &known.names[ARTISTS]);
        fact.family = placed(tape, &known.names[FAMILIES]);
    }
    let place = card.0 as usize;
    if last.len() <= place {
        last.resize(place + 1, Vec::new());
    }
    if flag(4) {
        let size = (tape.number() as usize).min(MAX_EMBEDDING);
        let mut steps = Vec::new();
        while steps.len() < size {
            let group = tape.whole();
            steps.extend((0..7).map(|at| (group >> (8 * at)) as i8));
        }
        steps.truncate(size);
        last[place] = steps;
    }
    if flag(4) || flag(5) {
        fact.direction.clone_from(&last[place]);
    }
    fact
}

/// The last lessons: half of the most kept, again and again for each halving.
pub(super) fn save_lessons(tape: &mut Tape, mentions: &mut Mentions, lessons: &[Lesson], halvings: u32) {
    let kept = lessons.len().min(MAX_LESSONS >> halvings);
    tape.count(kept);
    for lesson in &lessons[lessons.len() - kept..] {
        tape.whole(lesson.decision.0);
        tape.time(lesson.at);
        tape.maybe(lesson.card, |tape, card| tape.whole(mentions.card(card)));
        tape.whole(mentions.shelf(lesson.shelf));
        tape.whole(mentions.name(KINDS, lesson.kind));
        tape.whole(lesson.reward.to_bits().into());
        tape.maybe((lesson.weight != 1.0).then_some(lesson.weight), Tape::fraction);
        tape.whole(lesson.marks.into());
        tape.maybe(lesson.because, |tape, card| tape.whole(mentions.card(card)));
        save_row(tape, &lesson.row);
    }
}

pub(super) fn load_lesson(tape: &mut TapeReader, known: &Known) -> Lesson {
    Lesson {
        decision: DecisionId(tape.whole()),
        at: tape.time(),
        card: tape.maybe(|tape| known.card(tape)),
        shelf: known.shelf(tape),
        kind: placed(tape, &known.names[KINDS]),
        reward: f32::from_bits(tape.number()),
        weight: tape.maybe(TapeReader::fraction).unwrap_or(1.0),
        marks: tape.whole() as u8,
        because: tape.maybe(|tape| known.card(tape)),
        row: load_row(tape),
    }
}
