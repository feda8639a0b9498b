//! What the importers of trees share.

use ears_only::model::body::Rule;

use super::error::ImportError;

/// Categories from here on make a set too large for a device.
const MAX_CATEGORY: u32 = 65_536;
/// Most words of all sets of a model, as on the device: more is refused before memory is taken for it.
const MAX_WORDS: usize = 262_144;

/// Counts the words of the sets of a model.
#[derive(Default)]
pub struct Sets(usize);

impl Sets {
    fn take(&mut self, words: usize) -> Result<(), ImportError> {
        self.0 += words;
        if self.0 > MAX_WORDS {
            return Err(ImportError::broken("categories", format!("at most {MAX_WORDS} words in all sets"), "more"));
        }
        Ok(())
    }

    /// The rule that goes left for these categories.
    ///
    /// # Errors
    /// When there are too many words of sets.
    pub fn members(&mut self, categories: &[u32]) -> Result<Rule, ImportError> {
        let words = categories.iter().max().map_or(0, |largest| largest / 32 + 1);
        if words > MAX_CATEGORY / 32 {
            let largest = categories.iter().max().copied().unwrap_or_default();
            return Err(ImportError::unsupported_but(format!("category {largest}"), format!("categories below {MAX_CATEGORY}")));
        }
        self.take(words as usize)?;
        let mut set = vec![0_u32; words as usize];
        for category in categories {
            if let Some(word) = set.get_mut((category / 32) as usize) {
                *word |= 1 << (category % 32);
            }
        }
        Ok(Rule::In(set))
    }

    /// The rule that goes left for the bits of these words, as the device and LightGBM count them.
    ///
    /// # Errors
    /// When there are too many words of sets.
    pub fn bounded(&mut self, words: &[u32]) -> Result<Rule, ImportError> {
        let length = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        if length > (MAX_CATEGORY / 32) as usize {
            return Err(ImportError::unsupported_but(
                format!("a set of {length} words"),
                format!("categories below {MAX_CATEGORY}"),
            ));
        }
        self.take(length)?;
        Ok(Rule::In(words.iter().take(length).copied().collect()))
    }
}

/// The threshold t for which `x < t` is `x <= limit`, for every `f32` x.
///
/// The result is infinite when every finite x passes.
#[must_use]
pub fn less_than_for_at_most(limit: f64) -> f32 {
    let near = limit as f32;
    let floor = if f64::from(near) > limit { near.next_down() } else { near };
    floor.next_up()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_is_less_than_the_next() {
        for limit in
            [0.0, -0.0, 0.1, -0.1, 1.0, 1e-35, 1.000_000_018_002_509_5e-35, 1e300, -1e300, 3.376_665_592_193_604, 16_777_217.0]
        {
            let threshold = less_than_for_at_most(limit);
            let near = limit as f32;
            for x in [near, near.next_up(), near.next_down(), 0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE] {
                assert_eq!(x.is_finite() && x < threshold, x.is_finite() && f64::from(x) <= limit, "{x} <= {limit}");
            }
        }
    }

    #[test]
    fn sets_of_categories() {
        let mut sets = Sets::default();
        assert_eq!(sets.members(&[0, 33]).unwrap(), Rule::In(vec![1, 2]));
        assert_eq!(sets.members(&[]).unwrap(), Rule::In(Vec::new()));
        assert!(sets.members(&[70_000]).unwrap_err().to_string().contains("category 70000 is not supported"));
        assert_eq!(sets.bounded(&[0, 5, 0]).unwrap(), Rule::In(vec![0, 5]));
        let large = (0..200).map(|_| sets.members(&[65_535])).find_map(Result::err).unwrap().to_string();
        assert_eq!(large, "categories: expected at most 262144 words in all sets, found more");
    }
}
