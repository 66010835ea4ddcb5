//! How providers are authenticated to, as the file says it: what is checked of `api_key` and `auth`
//! beyond their shape, and where their secrets come from.
//!
//! Whatever stands in the wrong place here may be a key, so no message repeats it.

use std::path::Path;

use neural_router::config::ConfigError;
use neural_router::config::catalog::Endpoint;
use neural_router::config::document::{Auth, Aws, AwsKeys, KeySource, Oauth2, Provider};

const KEY_SOURCE: &str = "a key does not stand in this file; say where it is: {env: VARIABLE} or {file: /absolute/path}";
const AUTH: &str = "expected {token: {file: …}}, {oauth2: {…}}, {aws: default} or {aws: {…}}";
const TOKEN: &str = "expected {file: /absolute/path} of a token";
const OAUTH2: &str = "expected token_url, client_id, client_secret and, if the provider wants them, scopes";
const AWS: &str = "expected the word default, or access_key_id, secret_access_key and, of temporary keys, session_token; region if need be";
const REGION: &str = "signatures need a region, such as us-east-1: lower-case letters, digits and `-`";

/// What is told of a text that does not fit at `path`, where it might be a key.
pub(crate) fn misfit(path: &str) -> Option<&'static str> {
    let mut steps = path.strip_prefix("providers.")?.split('.').skip(1);
    Some(match (steps.next()?, steps.next(), steps.next()) {
        ("api_key", ..)
        | ("auth", Some("oauth2"), Some("client_secret"))
        | ("auth", Some("aws"), Some("access_key_id" | "secret_access_key" | "session_token")) => KEY_SOURCE,
        ("auth", Some("token"), _) => TOKEN,
        ("auth", Some("oauth2"), _) => OAUTH2,
        ("auth", Some("aws"), _) => AWS,
        ("auth", ..) => AUTH,
        _ => return None,
    })
}

/// Checks what only Envoy cares about.
pub(crate) fn check(name: &str, provider: &Provider) -> Result<(), ConfigError> {
    let err = |field: &str, message: &str| Err(ConfigError::new(format!("providers.{name}.{field}"), message));
    if provider.api_key.is_some() && provider.auth.is_some() {
        return err("auth", "api_key and auth are two ways to authenticate; one of them");
    }
    if let Some(Auth::Token(token)) = &provider.auth
        && !Path::new(&token.file).is_absolute()
    {
        return err("auth.token", TOKEN);
    }
    if let Some((field, _)) = sources(provider).iter().find(|(_, source)| !is_sound(source)) {
        return err(field, KEY_SOURCE);
    }
    match &provider.auth {
        Some(Auth::Oauth2(oauth2)) => {
            token_endpoint(name, oauth2)?;
            if oauth2.client_id.is_empty() || oauth2.client_id.len() > 256 || !oauth2.client_id.bytes().all(|b| b.is_ascii_graphic()) {
                return err("auth.oauth2.client_id", "1 to 256 visible ASCII characters");
            }
            oauth2.scopes.iter().position(|scope| !is_scope(scope)).map_or(Ok(()), |i| {
                err(&format!("auth.oauth2.scopes[{i}]"), "one scope: visible ASCII without spaces, quotes and backslashes")
            })
        }
        Some(Auth::Aws(aws)) => region(name, provider, aws).map(drop),
        Some(Auth::Token(_)) | None => Ok(()),
    }
}

/// A variable's name or an absolute path. Anything else may be the key itself.
fn is_sound(source: &KeySource) -> bool {
    match source {
        KeySource::Env(variable) => !variable.is_empty() && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
        KeySource::File(file) => Path::new(file).is_absolute(),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-3.3>
fn is_scope(scope: &str) -> bool {
    (1..=256).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// Where Envoy asks for tokens.
pub(crate) fn token_endpoint(name: &str, oauth2: &Oauth2) -> Result<Endpoint, ConfigError> {
    Endpoint::parse(&oauth2.token_url).map_err(|message| ConfigError::new(format!("providers.{name}.auth.oauth2.token_url"), message))
}

/// The region of an AWS signature: the keys' own, else the provider's.
pub(crate) fn region<'a>(name: &str, provider: &'a Provider, aws: &'a Aws) -> Result<&'a str, ConfigError> {
    let (field, region) = match aws {
        Aws::Keys(AwsKeys { region: Some(region), .. }) => ("auth.aws.region", Some(region)),
        Aws::Keys(_) | Aws::Default => ("region", provider.region.as_ref()),
    };
    let plain = |region: &&String| {
        (1..=64).contains(&region.len()) && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    region.filter(plain).map(String::as_str).ok_or_else(|| ConfigError::new(format!("providers.{name}.{field}"), REGION))
}

/// Every secret of a provider: the field that names it, and where it comes from.
pub(crate) fn sources(provider: &Provider) -> Vec<(&'static str, KeySource)> {
    let key = provider.api_key.iter().map(|source| ("api_key", source.clone()));
    let auth = match &provider.auth {
        None | Some(Auth::Aws(Aws::Default)) => Vec::new(),
        Some(Auth::Token(token)) => vec![("auth.token", KeySource::File(token.file.clone()))],
        Some(Auth::Oauth2(oauth2)) => vec![("auth.oauth2.client_secret", oauth2.client_secret.clone())],
        Some(Auth::Aws(Aws::Keys(keys))) => {
            let session = keys.session_token.iter().map(|source| ("auth.aws.session_token", source.clone()));
            let pair =
                [("auth.aws.access_key_id", keys.access_key_id.clone()), ("auth.aws.secret_access_key", keys.secret_access_key.clone())];
            pair.into_iter().chain(session).collect()
        }
    };
    key.chain(auth).collect()
}
