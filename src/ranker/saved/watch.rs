//! A running probe in a snapshot.

use super::{Known, Mentions};
use crate::log::DecisionId;
use crate::page::{CardHandle, ShelfHandle};
use crate::privacy::Coin;
use crate::ranker::contribute::{Heard, LISTENED, MAX_HEARD, Target, Watch};
use crate::ranker::vote::{Ballot, MAX_BALLOTS};
use crate::store::{Tape, TapeReader};

pub(super) fn save(tape: &mut Tape, mentions: &mut Mentions, watch: &Watch) {
    watch.coin.save(tape);
    tape.time(watch.started_at);
    tape.time(watch.ready_at);
    match &watch.target {
        Target::Nothing => tape.whole(0),
        Target::Card(decision, card) => of_one(tape, 1, *decision, mentions.card(*card)),
        Target::Shelf(decision, shelf) => of_one(tape, 2, *decision, mentions.shelf(*shelf)),
        Target::Page(decision) => of_one(tape, 3, *decision, 0),
        Target::Vote(ballots) => {
            tape.whole(4);
            tape.count(ballots.len());
            for ballot in ballots {
                tape.whole(ballot.decision.0);
                tape.maybe(ballot.shelf, |tape, shelf| tape.whole(mentions.shelf(shelf)));
                tape.count(ballot.places.len());
                for (place, ratio) in ballot.places.iter().zip(&ballot.ratios) {
                    tape.whole(match ballot.shelf {
                        Some(_) => mentions.card(CardHandle(*place)),
                        None => mentions.shelf(ShelfHandle(*place)),
                    });
                    tape.fraction(*ratio);
                }
            }
        }
    }
    tape.count(watch.heard.len());
    for heard in &watch.heard {
        tape.whole(heard.decision.0);
        tape.maybe(heard.shelf, |tape, shelf| tape.whole(mentions.shelf(shelf)));
        tape.whole(mentions.card(heard.card));
        tape.whole(heard.how_long.into());
    }
}

fn of_one(tape: &mut Tape, kind: u64, decision: DecisionId, what: u64) {
    tape.whole(kind);
    tape.whole(decision.0);
    tape.whole(what);
}

pub(super) fn load(tape: &mut TapeReader, known: &Known) -> Watch {
    let coin = Coin::load(tape);
    if tape.version() < 3 {
        return load_old(tape, known, coin);
    }
    let (started_at, ready_at) = (tape.time(), tape.time());
    let target = match tape.whole() {
        1 => Target::Card(DecisionId(tape.whole()), known.card(tape)),
        2 => Target::Shelf(DecisionId(tape.whole()), known.shelf(tape)),
        3 => {
            let decision = DecisionId(tape.whole());
            tape.whole();
            Target::Page(decision)
        }
        4 => {
            let mut ballots = tape.list(|tape| load_ballot(tape, known));
            ballots.truncate(MAX_BALLOTS);
            Target::Vote(ballots)
        }
        0 => Target::Nothing,
        _ => {
            tape.fail();
            Target::Nothing
        }
    };
    let mut heard = tape.list(|tape| Heard {
        decision: DecisionId(tape.whole()),
        shelf: tape.maybe(|tape| known.shelf(tape)),
        card: known.card(tape),
        how_long: tape.whole().min(3) as u8,
    });
    heard.truncate(MAX_HEARD);
    Watch { coin, started_at, ready_at, target, heard }
}

fn load_ballot(tape: &mut TapeReader, known: &Known) -> Ballot {
    let decision = DecisionId(tape.whole());
    let shelf = tape.maybe(|tape| known.shelf(tape));
    let places = tape.list(|tape| {
        let place = if shelf.is_some() { known.card(tape).0 } else { known.shelf(tape).0 };
        (place, tape.fraction())
    });
    let (places, ratios) = places.into_iter().unzip();
    Ballot { decision, shelf, places, ratios }
}

/// Up to format 2 there were card probes only, and whether the card was played.
fn load_old(tape: &mut TapeReader, known: &Known, coin: Coin) -> Watch {
    let decision = DecisionId(tape.whole());
    let card = tape.maybe(|tape| known.card(tape));
    let (started_at, ready_at, played) = (tape.time(), tape.time(), tape.flag());
    let heard = card.filter(|_| played).map(|card| Heard { decision, shelf: None, card, how_long: LISTENED });
    let target = card.map_or(Target::Nothing, |card| Target::Card(decision, card));
    Watch { coin, started_at, ready_at, target, heard: heard.into_iter().collect() }
}
