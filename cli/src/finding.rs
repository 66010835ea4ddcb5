//! What is worth telling an operator although the configuration can run: where, what, why it
//! matters and what to do.

use std::fmt;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which rule found it.
    pub(crate) rule: Rule,
    /// Place in the file, as errors write it.
    pub(crate) path: String,
    /// What is there.
    pub(crate) what: String,
    /// What comes of it.
    pub(crate) why: String,
    /// What to do.
    pub(crate) advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.what, self.why)
    }
}

/// The rules. Their names are an interface: `--allow` takes them and `--json` prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Rule {
    /// Envoy's administration can be reached from elsewhere.
    AdminExposed,
    /// A provider of a vendor has neither `api_key` nor `auth`.
    NoCredential,
    /// A provider's key, token or secret is not on this machine.
    MissingSecret,
    /// The listener's certificate or its key cannot be used.
    TlsFiles,
    /// The listener's certificate has expired, soon will, or is not valid yet.
    TlsValidity,
    /// Every user of the machine can read the key of the listener's certificate.
    TlsKeyExposed,
    /// A workspace has no key.
    NoKey,
    /// A key is the examples' placeholder.
    PlaceholderKey,
    /// Another model is at least as good in everything, so that `auto` never picks this one.
    DominatedModel,
    /// A free model stands beside priced ones, and `cost` always picks it.
    FreeBesidePriced,
    /// A price is the figure 0.
    ZeroPrice,
    /// No key may use a model.
    UnusedModel,
    /// No deployment is at a provider.
    UnusedProvider,
    /// A workspace may use no model.
    EmptyWorkspace,
    /// A deployment stands behind more others than are tried.
    LateDeployment,
    /// No model of a workspace can do what others of the catalogue can.
    CapabilityHole,
    /// One provider is behind all models of a workspace.
    SingleProvider,
    /// A budget is smaller than what one request may cost.
    BudgetBelowRequest,
    /// A token limit is smaller than what one request reserves.
    TokensBelowRequest,
    /// A key's limit is above that of its workspace.
    KeyAboveWorkspace,
    /// A burst is larger than what a fleet may make in a minute.
    BurstAboveFleet,
    /// One time bound makes another one meaningless.
    TimeoutOrder,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
