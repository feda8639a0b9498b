//! What the cards are, as marginalised IPS reads it: an embedding, or category, for each action.

use std::collections::HashMap;
use std::path::Path;

use crate::error::LabError;

/// The embedding of each action, from a CSV file with the columns `action` and `embedding`: any text, compared as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings(HashMap<i32, u32>);

impl Embeddings {
    /// Reads a table.
    ///
    /// # Errors
    /// When the file cannot be read, lacks a column, or names an action twice or without an embedding.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let wrong = |expected: &str, found: String| LabError::file(path, expected, found);
        let mut table = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(|error| wrong("a readable table of embeddings", error.to_string()))?;
        let header = table.headers().map_err(|error| wrong("a table with a header", error.to_string()))?.clone();
        let column = |name: &str| {
            let found = header.iter().collect::<Vec<_>>().join(",");
            header.iter().position(|column| column == name).ok_or_else(|| wrong(&format!("a column {name}"), found))
        };
        let (action, embedding) = (column("action")?, column("embedding")?);
        let (mut names, mut of) = (HashMap::new(), HashMap::new());
        for record in table.records() {
            let record = record.map_err(|error| wrong("as many fields in each line as in the first", error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |at: usize| record.get(at).unwrap_or_default();
            let number: i32 = field(action)
                .parse()
                .map_err(|_| wrong(&format!("an action, a whole number, in line {line}"), field(action).to_owned()))?;
            if field(embedding).is_empty() {
                return Err(wrong(&format!("the embedding of action {number} in line {line}"), "nothing".to_owned()));
            }
            let next = names.len() as u32;
            let name = *names.entry(field(embedding).to_owned()).or_insert(next);
            if of.insert(number, name).is_some() {
                return Err(wrong("each action once", format!("action {number} again in line {line}")));
            }
        }
        if of.is_empty() {
            return Err(wrong("at least one action", "none".to_owned()));
        }
        Ok(Self(of))
    }

    /// Number of the action's embedding; nothing for an action that the table does not have.
    #[must_use]
    pub fn of(&self, action: i32) -> Option<u32> {
        self.0.get(&action).copied()
    }

    /// P(embedding of the action | target) / P(embedding of the action | logging), both sums over the candidates with that embedding.
    ///
    /// - `logging`, `target`: a probability for each of `candidates`.
    #[must_use]
    pub fn weight(&self, action: i32, candidates: &[f64], logging: &[f64], target: impl Fn(usize, i32) -> f64) -> f64 {
        let wanted = self.of(action);
        let same = || candidates.iter().enumerate().filter(|(_, candidate)| self.of(**candidate as i32) == wanted);
        let below: f64 = same().filter_map(|(i, _)| logging.get(i)).sum();
        let above: f64 = same().map(|(i, candidate)| target(i, *candidate as i32)).sum();
        above / below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Embeddings, String> {
        let path = std::env::temp_dir().join(format!("ears-lab-embeddings-{}-{:x}.csv", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let read = Embeddings::read(&path).map_err(|error| error.to_string());
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn weights_are_those_of_what_a_card_is() {
        let of = read("embedding,action\nrock,0\njazz,1\nrock,2\n").unwrap();
        assert!(of.of(0) == of.of(2) && of.of(0) != of.of(1) && of.of(3).is_none());
        let target = [0.5, 0.25, 0.25];
        let weight = |action| of.weight(action, &[0.0, 1.0, 2.0], &[0.125, 0.5, 0.375], |i, _| target[i]);
        assert_eq!((weight(0), weight(1), weight(2)), (1.5, 0.5, 1.5));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("", "expected a column action, found"),
            ("action,kind\n", "expected a column embedding, found action,kind"),
            ("action,embedding\n", "expected at least one action, found none"),
            ("action,embedding\nx,rock\n", "expected an action, a whole number, in line 2, found x"),
            ("action,embedding\n1,\n", "expected the embedding of action 1 in line 2, found nothing"),
            ("action,embedding\n1,rock\n1,jazz\n", "expected each action once, found action 1 again in line 3"),
            ("action,embedding\n1\n", "expected as many fields"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
