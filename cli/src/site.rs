//! What a place has of its own, whatever the configuration says: a pod's addresses, and where its secrets
//! are mounted. Said once, when the files are first rendered, and kept beside them ([`crate::apply::record`]),
//! so that a changed configuration is read the same way and cannot move a port that others know.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::Args;
use neural_router::config::document::{Auth, Aws, FileRef, KeySource, Provider, Scrape, Tls};
use neural_router::config::{ConfigError, Document};
use serde::{Deserialize, Serialize};

use crate::render::credential;
use crate::secrets;

/// Options of `nr render files`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Site {
    /// Where calls come in, whatever `listen` says, such as http://0.0.0.0:8080; with https://, the configuration has to have a certificate.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<Entrance>,
    /// Where Envoy is administered, whatever `admin` says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
    /// Where Prometheus scrapes, whatever `telemetry.metrics` says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Directory with a file for each variable that the configuration names, called like it, such as a mounted Secret of
    /// Kubernetes; keys of AWS are provider_NAME.aws there.
    #[arg(long, value_name = "DIR", requires = "secrets")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secrets_from: Option<String>,
    /// Directory of tls.crt and tls.key, in the place of the files that `listen.tls` names.
    #[arg(long, value_name = "DIR", requires = "secrets")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_from: Option<String>,
}

impl Site {
    /// The document as it holds here.
    pub(crate) fn settle(&self, mut document: Document) -> Result<Document, ConfigError> {
        if let Some(entrance) = &self.listen {
            entrance.check(&document)?;
            document.listen.address = entrance.address.ip().to_string();
            document.listen.port = entrance.address.port();
        }
        if let Some(admin) = self.admin {
            document.admin.address = admin.ip().to_string();
            document.admin.port = admin.port();
        }
        if let Some(metrics) = self.metrics {
            document.telemetry.metrics.listen = Some(Scrape { address: metrics.ip().to_string(), port: metrics.port() });
        }
        if let Some(directory) = &self.certificate_from {
            let file = |name| FileRef { file: format!("{directory}/{name}") };
            document.listen.tls = document.listen.tls.map(|_| Tls { certificate: file("tls.crt"), private_key: file("tls.key") });
        }
        if let Some(directory) = &self.secrets_from {
            for (name, provider) in &mut document.providers {
                mounted(name, provider, directory);
            }
        }
        Ok(document)
    }

    /// Who writes keys of AWS.
    pub(crate) fn aws(&self) -> secrets::Aws {
        if self.secrets_from.is_some() { secrets::Aws::Mounted } else { secrets::Aws::Written }
    }

    /// Whether nothing is fixed.
    pub(crate) fn is_anywhere(&self) -> bool {
        *self == Self::default()
    }

    /// The same as options of `nr render files`.
    pub(crate) fn words(&self) -> Vec<String> {
        let all = [
            ("--listen", self.listen.as_ref().map(Entrance::to_string)),
            ("--admin", self.admin.map(|admin| admin.to_string())),
            ("--metrics", self.metrics.map(|metrics| metrics.to_string())),
            ("--secrets-from", self.secrets_from.clone()),
            ("--certificate-from", self.certificate_from.clone()),
        ];
        all.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).flatten().collect()
    }
}

/// Reads what a provider takes from variables from files instead.
fn mounted(name: &str, provider: &mut Provider, directory: &str) {
    let file = |source: &mut KeySource| {
        if let KeySource::Env(variable) = source {
            *source = KeySource::File(format!("{directory}/{variable}"));
        }
    };
    provider.api_key.iter_mut().for_each(file);
    match &mut provider.auth {
        Some(Auth::Oauth2(oauth2)) => file(&mut oauth2.client_secret),
        Some(Auth::Aws(Aws::Keys(keys))) => {
            // All of them, since they change together.
            let whole = KeySource::File(format!("{directory}/{}.aws", credential::name(name)));
            keys.session_token.iter_mut().for_each(|token| token.clone_from(&whole));
            keys.access_key_id.clone_from(&whole);
            keys.secret_access_key = whole;
        }
        Some(Auth::Token(_) | Auth::Aws(Aws::Default)) | None => {}
    }
}

/// An address, and what is spoken there: what stands before a gateway goes by both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Entrance {
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
}

impl Entrance {
    fn check(&self, document: &Document) -> Result<(), ConfigError> {
        let advice = "set that up anew together with this, on Kubernetes by `nr render kubernetes`";
        match (self.tls, document.listen.tls.is_some()) {
            (false, true) => {
                Err(ConfigError::new("listen.tls", format!("what stands before this gateway speaks http:// to it (--listen); {advice}")))
            }
            (true, false) => Err(ConfigError::new(
                "listen",
                format!("no tls, and what stands before this gateway speaks https:// to it (--listen); {advice}"),
            )),
            _ => Ok(()),
        }
    }
}

impl FromStr for Entrance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, address) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(address), _) => (false, address),
            (_, Some(address)) => (true, address),
            _ => return Err(ENTRANCE.to_owned()),
        };
        let address = address.parse().map_err(|_| ENTRANCE.to_owned())?;
        Ok(Self { address, tls })
    }
}

const ENTRANCE: &str = "expected http:// or https://, an IP address and a port, such as http://0.0.0.0:8080";

impl TryFrom<String> for Entrance {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Entrance> for String {
    fn from(entrance: Entrance) -> Self {
        entrance.to_string()
    }
}

impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Document {
        crate::load::document(include_str!("../../examples/demo.yaml")).unwrap()
    }

    fn site(listen: &str) -> Site {
        Site {
            listen: Some(listen.parse().unwrap()),
            admin: Some("127.0.0.1:9901".parse().unwrap()),
            metrics: Some("[::]:9902".parse().unwrap()),
            secrets_from: Some("/mounted".to_owned()),
            certificate_from: Some("/tls".to_owned()),
        }
    }

    #[test]
    fn a_place_has_its_own_addresses_whatever_the_configuration_says() {
        let mut document = demo();
        "192.0.2.1".clone_into(&mut document.admin.address);
        let settled = site("http://0.0.0.0:8081").settle(document).unwrap();
        assert_eq!((settled.listen.address.as_str(), settled.listen.port), ("0.0.0.0", 8081));
        assert_eq!((settled.admin.address.as_str(), settled.admin.port), ("127.0.0.1", 9901));
        assert_eq!(settled.telemetry.metrics.listen.map(|one| (one.address, one.port)), Some(("::".to_owned(), 9902)));
    }

    #[test]
    fn what_stands_before_a_gateway_does_not_change_with_its_configuration() {
        let mut encrypted = demo();
        let file = |file: &str| FileRef { file: file.to_owned() };
        encrypted.listen.tls = Some(Tls { certificate: file("/a.crt"), private_key: file("/a.key") });
        let said = |document: Document, listen: &str| site(listen).settle(document).map_err(|error| error.to_string());
        assert!(said(encrypted.clone(), "http://0.0.0.0:1").unwrap_err().starts_with("listen.tls: what stands before"));
        assert!(said(demo(), "https://0.0.0.0:1").unwrap_err().starts_with("listen: no tls"));
        let tls = said(encrypted, "https://0.0.0.0:1").unwrap().listen.tls.unwrap();
        assert_eq!((tls.certificate.file.as_str(), tls.private_key.file.as_str()), ("/tls/tls.crt", "/tls/tls.key"));
    }

    #[test]
    fn a_variable_is_a_file_of_its_name_and_keys_of_aws_are_one_file_of_their_provider() {
        let mut document = demo();
        let env = |name: &str| KeySource::Env(name.to_owned());
        let all = ["openai", "anthropic", "groq"];
        for name in all {
            document.providers.get_mut(name).unwrap().api_key = None;
        }
        document.providers.get_mut("openai").unwrap().api_key = Some(env("OPENAI_API_KEY"));
        document.providers.get_mut("anthropic").unwrap().api_key = Some(KeySource::File("/mine".to_owned()));
        document.providers.get_mut("groq").unwrap().auth = Some(Auth::Aws(Aws::Keys(neural_router::config::document::AwsKeys {
            access_key_id: env("ID"),
            secret_access_key: env("SECRET"),
            session_token: None,
            region: None,
        })));
        let settled = site("http://0.0.0.0:1").settle(document).unwrap();
        let files = all.map(|name| {
            let mut files = crate::credential::sources(&settled.providers[name]);
            files.dedup_by(|a, b| a.1 == b.1);
            files.into_iter().map(|(_, source)| source).collect::<Vec<_>>()
        });
        let file = |file: &str| vec![KeySource::File(file.to_owned())];
        assert_eq!(files, [file("/mounted/OPENAI_API_KEY"), file("/mine"), file("/mounted/provider_groq.aws")]);
    }

    #[test]
    fn its_options_and_its_record_say_the_same() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            site: Site,
            #[arg(long)]
            secrets: Option<String>,
        }
        for site in [site("https://[::1]:8443"), Site::default()] {
            let words = ["nr", "--secrets", "x"].map(str::to_owned).into_iter().chain(site.words());
            let said = <Line as clap::Parser>::try_parse_from(words).unwrap();
            assert_eq!((said.site, said.secrets.as_deref()), (site.clone(), Some("x")));
            assert_eq!(serde_json::from_str::<Site>(&serde_json::to_string(&site).unwrap()).unwrap(), site);
        }
        for wrong in ["0.0.0.0:8080", "http://localhost:8080", "https://0.0.0.0", "ftp://0.0.0.0:1"] {
            assert!(wrong.parse::<Entrance>().is_err(), "{wrong}");
        }
    }
}
