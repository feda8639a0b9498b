//! Native tools around the on-device ranker. They call the shipped core; nothing of it is written again here.
//!
//! In the order in which they are used:
//!
//! | command | does |
//! |---|---|
//! | `convert` | [`convert`]: models of the field's own tools become bundles |
//! | `check-models` | [`convert::check`]: recomputes a folder of models, and damages their files |
//! | `inspect` | [`bundle`]: what a bundle holds, checked as a device checks it |
//! | `check-golden` | [`golden`]: recomputes reference values and says how far they lie apart |
//! | `check-propensities` | [`propensities`]: mean importance weight 1 and chi-square, for every policy that may log, in every world |
//! | `check-estimates` | [`evaluate::protocol`]: estimates against the truth, in worlds that know it |
//! | `import`, `export` | [`logs`]: logs of decisions, ours and others' |
//! | `evaluate` | [`evaluate`]: what another policy would have earned on logged decisions |
//! | `simulate` | [`simulate`]: listeners of a world with a known truth, against baselines and the best possible |
//! | `train` | [`train`]: trains reward models from logged decisions |
//! | `score` | [`score`]: what a bundle would do on logged decisions, for `evaluate` |
//! | `replay` | [`replay`]: real listeners, half of their artists hidden; does the page bring them to the top? |
//! | `keygen`, `sign`, `publish` | [`publish`]: keys, roots, and bundles in a folder of static files |
//! | `collect` | [`collect`]: takes records from devices and releases them in cells that are big enough |
//! | `estimate-probes` | [`noisy::probes`]: what released records say, noise undone |
//! | `train-probes` | [`evolution`]: a model trained from one noisy bit for each device and week |
//! | `check-noise` | [`noisy`]: estimators that undo the noise of released records; their bias and coverage |
//! | `disclosure` | [`disclosure`]: what records disclose together, and what a crowd hides of one |
//! | `validate` | [`validate`]: what is wrong with a data set, alone or against another one |

pub mod arguments;
pub mod bundle;
pub mod collect;
pub mod convert;
pub mod data;
pub mod disclosure;
pub mod error;
pub mod evaluate;
pub mod evolution;
pub mod golden;
pub mod interval;
pub mod logs;
pub mod noisy;
pub mod progress;
pub mod propensities;
pub mod publish;
pub mod replay;
pub mod score;
pub mod simulate;
pub mod table;
pub mod train;
pub mod validate;

/// The examples of the documentation, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/evaluation.md")]
pub struct EvaluationPage;
