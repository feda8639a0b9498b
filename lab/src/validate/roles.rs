//! Which columns of a decision log mean what. Names are known, and can be told.

use crate::error::LabError;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The probability with which the logging policy took the logged action.
    Propensity,
    /// The probability with which another policy would have taken it.
    TargetPropensity,
    /// What came of it, a number.
    Reward,
    /// When.
    Time,
    /// The identity of a decision; no two rows share it.
    Decision,
    /// The action that was taken.
    Action,
    /// The actions that could have been taken.
    Candidates,
    /// The probability of each of them.
    Probabilities,
    /// The logging policy, with its version.
    Policy,
}

const NAMES: &[(Role, &str, &[&str])] = &[
    (Role::Propensity, "propensity", &["propensity", "pscore", "propensity_score", "_label_probability", "pi_b"]),
    (Role::TargetPropensity, "target-propensity", &["target_propensity", "pi_e"]),
    (Role::Reward, "reward", &["reward", "click", "clicked", "is_click", "played"]),
    (
        Role::Time,
        "time",
        &[
            "time",
            "timestamp",
            "t",
            "t_ms",
            "ts",
            "hour",
            "date",
            "dt",
            "day",
            "datetime",
            "time_ms",
            "event_time",
            "created_at",
            "Timestamp",
        ],
    ),
    (Role::Decision, "decision", &["decision", "decision_id", "event_id", "EventId", "nonce", "uuid"]),
    (Role::Action, "action", &["action"]),
    (Role::Candidates, "candidates", &["candidates"]),
    (Role::Probabilities, "probabilities", &["probs", "probabilities"]),
    (Role::Policy, "policy", &["policy", "logging_policy", "policy_version"]),
];

/// The columns of each role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    told: Vec<(Role, String)>,
    /// Roles that no column has.
    without: Vec<Role>,
}

impl Roles {
    /// Roles as they were told, `propensity=p`; the known names hold for the other roles.
    ///
    /// # Errors
    /// When one is not of that form or names no role.
    pub fn new(told: &[String]) -> Result<Self, LabError> {
        let mut roles = Vec::new();
        for text in told {
            let names: Vec<&str> = NAMES.iter().map(|(_, name, _)| *name).collect();
            let wrong =
                || LabError::unreadable(format!("expected --role ROLE=COLUMN with one of {}, got {text}", names.join(", ")));
            let (name, column) = text.split_once('=').ok_or_else(wrong)?;
            let (role, ..) = NAMES.iter().find(|(_, known, _)| *known == name).ok_or_else(wrong)?;
            roles.push((*role, column.to_owned()));
        }
        Ok(Self { told: roles, without: Vec::new() })
    }

    /// The same where no column has this role.
    #[must_use]
    pub fn without(mut self, role: Role) -> Self {
        self.without.push(role);
        self
    }

    /// The role of a column, if it has one.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<Role> {
        if let Some((role, _)) = self.told.iter().find(|(_, told)| told == column) {
            return Some(*role);
        }
        let (role, ..) = NAMES.iter().find(|(_, _, names)| names.contains(&column))?;
        (!self.told.iter().any(|(told, _)| told == role) && !self.without.contains(role)).then_some(*role)
    }
}
