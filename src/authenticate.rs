//! From the `Authorization` header to a workspace, and what its key may use and say.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::workspace::{Key, KeyIndex, Workspace, Workspaces};
use crate::config::{Catalog, ModelIndex};
use crate::guard::Verdict;
use crate::openai::Request;
use crate::rejection::Rejection;

/// Longer values are not ours; hashing them would only be work.
const MAX_KEY_BYTES: usize = 256;

/// Whose call it is.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The tenant.
    pub workspace: &'a Workspace,
    /// Its key.
    pub key: &'a Key,
}

impl<'a> Caller<'a> {
    /// Who has a key.
    pub fn of(workspaces: &'a Workspaces, key: KeyIndex) -> Option<Self> {
        let key = workspaces.key(key)?;
        Some(Self { workspace: workspaces.get(key.workspace)?, key })
    }

    /// Whether the model exists for the workspace and the key may use it.
    pub fn may_use(&self, model: ModelIndex) -> bool {
        self.workspace.may_use(model) && self.key.may_use(model)
    }

    /// The model with this id. What the workspace may not use does not exist for it; what only this
    /// key may not use is no secret to it.
    pub fn known(&self, catalog: &Catalog, id: &str, param: impl Fn() -> String) -> Result<ModelIndex, Rejection> {
        let index = catalog.find(id).filter(|index| self.workspace.may_use(*index));
        let index = index.ok_or_else(|| Rejection::model_not_found(id, param()))?;
        if self.key.may_use(index) { Ok(index) } else { Err(Rejection::model_forbidden(id, param())) }
    }

    /// What the guardrails of the workspace say of a request: nothing, or the body with what they took out of it.
    pub fn inspect(&self, request: &Request<'_>) -> Result<Option<Redacted>, Rejection> {
        let guard = &self.workspace.guard;
        if let Some(exceeded) = guard.exceeds(&request.counts()) {
            return Err(Rejection::guardrail_bound(&exceeded));
        }
        match guard.input().map_or(Verdict::Clean, |rules| rules.request(request.text())) {
            Verdict::Clean => Ok(None),
            Verdict::Blocked { rule } => Err(Rejection::guardrail(&rule)),
            Verdict::Redacted { body, notes, hits } => Ok(Some(Redacted { body, notes, hits })),
        }
    }
}

/// What the guardrails left of a request.
#[derive(Debug)]
pub struct Redacted {
    /// With placeholders.
    pub body: Vec<u8>,
    /// What they stand for, for `routing.adjustments`.
    pub notes: Vec<String>,
    /// The rules that put them there, with how many.
    pub hits: Vec<(String, usize)>,
}

/// Whose key it is. `authorization` is the header's value; Envoy joins duplicates with a comma,
/// which no key contains.
pub fn authenticate(workspaces: &Workspaces, authorization: Option<&[u8]>) -> Result<KeyIndex, Rejection> {
    let key = authorization.and_then(bearer).ok_or_else(Rejection::unauthenticated)?;
    let digest = Sha256::digest(key).into();
    let (stored, key) = workspaces.find(&digest).ok_or_else(Rejection::unauthenticated)?;
    if bool::from(stored.ct_eq(&digest)) { Ok(key) } else { Err(Rejection::unauthenticated()) }
}

/// The key of a `Bearer` header; the scheme is case-insensitive and any number of spaces may follow
/// it (RFC 9110, section 11.4).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    let key = key.trim_ascii_start();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let ours = scheme.eq_ignore_ascii_case(b"bearer ") && key.starts_with(b"nr-") && key.len() <= MAX_KEY_BYTES && key.iter().all(plain);
    ours.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn config() -> Config {
        let digest: String = Sha256::digest(b"nr-right").iter().map(|b| format!("{b:02x}")).collect();
        let json = format!(
            r#"{{"providers":{{"p":{{"protocol":"openai"}}}},
                "models":[{{"id":"m","provider_name":"P","context_window":10,"price":"free","quality":{{"default":1}},"deployments":[{{"provider":"p","model":"m"}}]}}],
                "workspaces":[{{"id":"acme","keys":[{{"id":"laptop","sha256":"{digest}"}}],"models":["*"]}}]}}"#
        );
        Config::from_json(json.as_bytes()).expect("a configuration")
    }

    #[test]
    fn a_known_key_is_its_workspace() {
        let config = config();
        for header in ["Bearer nr-right", "bearer nr-right", "BEARER nr-right", "Bearer   nr-right"] {
            let key = authenticate(&config.workspaces, Some(header.as_bytes())).expect("known");
            let caller = Caller::of(&config.workspaces, key).expect("its own index");
            assert_eq!((caller.key.id.as_str(), caller.workspace.id.as_str()), ("laptop", "acme"), "{header}");
        }
    }

    #[test]
    fn every_other_header_is_refused_alike() {
        let config = config();
        let long = [b"Bearer nr-".as_slice(), &[b'a'; 70_000]].concat();
        let headers: [Option<&[u8]>; 13] = [
            None,
            Some(b""),
            Some(b"Bearer"),
            Some(b"Bearer "),
            Some(b"Bearer nr-wrong"),
            Some(b"Bearer nr-right "),
            Some(b"Bearer nr-right,Bearer nr-right"),
            Some(b"Bearer nr-right, Bearer nr-other"),
            Some(b"Basic nr-right"),
            Some(b"nr-right"),
            Some(b"Bearer nr-\xff"),
            Some(b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            Some(&long),
        ];
        for header in headers {
            let refused = authenticate(&config.workspaces, header).map(|_| ()).expect_err("no key");
            assert_eq!((refused.status, refused.body()), (401, Rejection::unauthenticated().body()));
        }
    }
}
