//! How a call ended, in one word, and whose doing that was.

use crate::rejection::{Rejection, Type};

/// Whose doing an ending was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: all is well.
    None,
    /// The caller's: what it asked for cannot be had, or it left.
    Caller,
    /// The operator's wish: a limit, a budget, a rule, a bound of time.
    Policy,
    /// The provider's.
    Provider,
    /// Ours, or the operator's mistake.
    Gateway,
}

macro_rules! endings {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $fault:ident),+ $(,)?) => {
        /// How a call ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Ending { $($(#[$doc])* $variant),+ }

        impl Ending {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, in metrics and in the access log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Whose doing it was.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault),+ }
            }
        }
    };
}

endings! {
    /// The caller has all of an answer.
    Ok = "ok" None,
    /// The caller wanted the decision only, and has it.
    DryRun = "dry_run" None,
    /// 400, 404, 405, 413 or 415 of ours.
    InvalidRequest = "invalid_request" Caller,
    /// 401.
    Unauthenticated = "unauthenticated" Caller,
    /// 404 for a model.
    ModelNotFound = "model_not_found" Caller,
    /// A provider refused what was asked, and the caller was told.
    Refused = "refused" Caller,
    /// The caller left before the end.
    Cancelled = "cancelled" Caller,
    /// 403 for a model that the key may not use.
    Forbidden = "forbidden" Policy,
    /// 403 by a guardrail, or an answer that one broke off.
    Guardrail = "guardrail" Policy,
    /// 402.
    BudgetExceeded = "budget_exceeded" Policy,
    /// 429.
    RateLimited = "rate_limited" Policy,
    /// An answer that had begun took longer than a call may.
    Overlong = "overlong" Policy,
    /// No candidate could answer.
    NoProvider = "no_provider" Provider,
    /// An answer that had begun broke off.
    Interrupted = "interrupted" Provider,
    /// No candidate let us in: our own keys.
    Credentials = "credentials" Gateway,
    /// No candidate could be asked, or the filter failed.
    Failed = "failed" Gateway,
}

impl Fault {
    /// Its name, in metrics and in the access log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Caller => "caller",
            Self::Policy => "policy",
            Self::Provider => "provider",
            Self::Gateway => "gateway",
        }
    }
}

impl From<&Rejection> for Ending {
    fn from(rejection: &Rejection) -> Self {
        match rejection.kind() {
            Type::InvalidRequest => Self::InvalidRequest,
            Type::Unauthenticated => Self::Unauthenticated,
            Type::BudgetExceeded => Self::BudgetExceeded,
            Type::Forbidden if rejection.is_by_guardrail() => Self::Guardrail,
            Type::Forbidden => Self::Forbidden,
            Type::ModelNotFound => Self::ModelNotFound,
            Type::RateLimited => Self::RateLimited,
            Type::NoProviderAvailable => Self::Failed,
        }
    }
}
