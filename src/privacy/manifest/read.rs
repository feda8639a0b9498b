//! The manifest's JSON, field by field.

use super::{Action, Arm, Block, Candidate, ManifestSettings, Place, Probe, ProbeKind, Question};
use crate::bundle::PolicySettings;
use crate::error::{Error, shown};
use crate::settings::{Field, Value, field};

const CODE: &str = "bad_manifest";

type Fields<'a> = &'a [(String, Value)];

type ReadArm = fn(Field<'_>) -> Result<Arm, Error>;

fn bad(what: String) -> Error {
    Error::privacy(CODE, what)
}

impl ManifestSettings {
    /// Reads the manifest's JSON.
    ///
    /// # Errors
    /// `bad_manifest`, naming the field, what was expected and what was found; `bad_policy` for a policy that cannot be.
    pub fn read(value: &Value) -> Result<Self, Error> {
        let fields = Field::root(value, "manifest", CODE).object(&[
            "format",
            "epochs",
            "modelVersion",
            "epsilonIndex",
            "windowMs",
            "probes",
        ])?;
        let of = |name| field(fields, name, CODE);
        let epochs = of("epochs").list(|epoch| epoch.whole(65_535))?;
        let [first, last] = epochs[..] else {
            return Err(bad(format!("epochs must be a first and a last one, got {}", epochs.len())));
        };
        Ok(Self {
            format: of("format").whole(u32::MAX)?,
            epochs: [first as u16, last as u16],
            model_version: of("modelVersion").text()?.to_owned(),
            epsilon_index: of("epsilonIndex").whole(255)? as u8,
            window_ms: of("windowMs").whole(u32::MAX)?,
            probes: of("probes").list(probe)?,
        })
    }
}

fn probe(from: Field<'_>) -> Result<Probe, Error> {
    const PLACES: [&str; 3] = ["shelf", "shelfPosition", "cardPosition"];
    let kind = field(from.entries()?, "kind", CODE).text()?;
    let own: &[&str] = match kind {
        "card" => &PLACES,
        "shelf" => &PLACES[1..2],
        "policy" => &[],
        "training" => &["scale"],
        "vote" => &["clip"],
        other => {
            return Err(bad(format!("kind must be one of card, shelf, policy, training, vote, got \"{other}\"")));
        }
    };
    let fields = from.object(&[&["kind", "questions", "arms"], own].concat())?;
    let of = |name| field(fields, name, CODE);
    let position = |name| Ok::<_, Error>(of(name).whole(255)? as u8);
    let (kind, arm): (ProbeKind, ReadArm) = match kind {
        "card" => {
            let place = Place { shelf_position: position("shelfPosition")?, card_position: position("cardPosition")? };
            (ProbeKind::Card { shelf: of("shelf").text()?.to_owned(), place }, |from| arm(from, &["card"], card_action))
        }
        "shelf" => (ProbeKind::Shelf { position: position("shelfPosition")? }, |from| arm(from, &["shelf"], shelf_action)),
        "policy" => (ProbeKind::Policy, |from| arm(from, &["name", "policy", "weights"], policy_action)),
        "training" => {
            (ProbeKind::Training { scale: of("scale").number()? }, |from| arm(from, &["seed", "sign"], perturbed_action))
        }
        _ => (ProbeKind::Vote { clip: of("clip").number()? }, |from| {
            arm(from, &["name", "policy", "weights", "block", "shelf"], vote_action)
        }),
    };
    let question = |question: Field<'_>| {
        let name = question.text()?;
        Question::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let known = Question::ALL.map(Question::name).join(", ");
            bad(format!("questions must be of {known}, got \"{name}\""))
        })
    };
    Ok(Probe { kind, questions: of("questions").list(question)?, arms: of("arms").list(arm)? })
}

fn arm(from: Field<'_>, own: &[&str], action: fn(Fields<'_>) -> Result<Action, Error>) -> Result<Arm, Error> {
    let fields = from.object(&[own, &["weight"]].concat())?;
    Ok(Arm { weight: field(fields, "weight", CODE).whole(65_535)? as u16, action: action(fields)? })
}

fn card_action(fields: Fields<'_>) -> Result<Action, Error> {
    Ok(Action::Card(field(fields, "card", CODE).text()?.to_owned()))
}

fn shelf_action(fields: Fields<'_>) -> Result<Action, Error> {
    Ok(Action::Shelf(field(fields, "shelf", CODE).text()?.to_owned()))
}

fn policy_action(fields: Fields<'_>) -> Result<Action, Error> {
    candidate(fields).map(Action::Policy)
}

fn vote_action(fields: Fields<'_>) -> Result<Action, Error> {
    let of = |name| field(fields, name, CODE);
    let block = match of("block").text()? {
        "shelves" if of("shelf").is_null() => Block::Shelves,
        "cards" => Block::Cards(of("shelf").text()?.to_owned()),
        other => return Err(bad(format!("block must be shelves, or cards with a shelf, got \"{other}\""))),
    };
    Ok(Action::Vote(candidate(fields)?, block))
}

fn perturbed_action(fields: Fields<'_>) -> Result<Action, Error> {
    let sign = field(fields, "sign", CODE).number()?;
    if sign.abs() != 1.0 {
        return Err(bad(format!("sign must be 1 or -1, got {}", shown(sign))));
    }
    Ok(Action::Perturbed { seed: field(fields, "seed", CODE).whole(u32::MAX)?, negative: sign < 0.0 })
}

fn candidate(fields: Fields<'_>) -> Result<Candidate, Error> {
    let of = |name| field(fields, name, CODE);
    let mut policy = PolicySettings::default();
    if !of("policy").is_null() {
        policy.read(of("policy"))?;
        policy.check()?;
    }
    let mut weights = Vec::new();
    if !of("weights").is_null() {
        let named = of("weights").entries()?;
        for (column, _) in named {
            weights.push((column.clone(), field(named, column, CODE).number()?));
        }
    }
    let name = if of("name").is_null() { String::new() } else { of("name").text()?.to_owned() };
    Ok(Candidate { name, policy, weights })
}
