//! The privacy module with what it uses, for mutation testing. The policy settings of a manifest stand in for the core's: they are read
//! and never judged here.
#![allow(dead_code, unused_imports, private_interfaces)]

pub mod clock;
pub mod error;
pub mod math;
pub mod privacy;
pub mod random;
pub mod settings;
mod store;

/// What a manifest needs of the bundle.
pub mod bundle {
    use crate::error::Error;
    use crate::settings::Field;

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct PolicyKind;

    impl PolicyKind {
        pub fn name(self) -> &'static str {
            "plackett_luce"
        }
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    pub struct PolicySettings {
        pub kind: PolicyKind,
    }

    impl PolicySettings {
        pub fn read(&mut self, from: Field<'_>) -> Result<(), Error> {
            from.object(&["temperature", "shelfTemperature"]).map(drop)
        }

        pub fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }
}
