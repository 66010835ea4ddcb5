//! The certificate of the listener, looked at before Envoy does: are both files there, are they what
//! they should be, do they belong together, and is the key nobody else's?

use std::fs;
use std::os::unix::fs::PermissionsExt;

use neural_router::config::document::{FileRef, Tls};
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::finding::{Finding, Rule};

const CERTIFICATE: &str = "listen.tls.certificate.file";
const PRIVATE_KEY: &str = "listen.tls.private_key.file";

/// The sentence for what keeps Envoy from serving with this pair; its first words are the place.
pub(crate) fn complaint(tls: &Tls) -> Option<String> {
    fault(tls).map(|(path, what)| format!("{path}: {what}"))
}

/// Everything to warn of.
pub(crate) fn findings(tls: &Tls) -> Vec<Finding> {
    let unusable = fault(tls).map(|(path, what)| Finding {
        rule: Rule::TlsFiles,
        path: path.to_owned(),
        what,
        why: "no client can connect".to_owned(),
        advice: "put a PEM chain and its PEM key there before `nr up` or Envoy starts".to_owned(),
    });
    let key = &tls.private_key.file;
    let exposed = fs::metadata(key).is_ok_and(|file| file.permissions().mode() & READ_BY_OTHERS != 0).then(|| Finding {
        rule: Rule::TlsKeyExposed,
        path: PRIVATE_KEY.to_owned(),
        what: format!("{key} can be read by every user of this machine"),
        why: "whoever has the key can pass for this gateway".to_owned(),
        advice: format!("chmod 600 {key}, owned by the user that runs Envoy"),
    });
    unusable.into_iter().chain(exposed).collect()
}

/// Of the permissions of a file; a group is often meant to read it.
const READ_BY_OTHERS: u32 = 0o004;

/// Place and reason of the first fault. Neither file's content is repeated.
fn fault(tls: &Tls) -> Option<(&'static str, String)> {
    belong_together(tls).err()
}

fn belong_together(tls: &Tls) -> Result<(), (&'static str, String)> {
    let FileRef { file: certificate } = &tls.certificate;
    let FileRef { file: key } = &tls.private_key;
    let because = |file: &str, error: PemError, what: &str| match error {
        PemError::Io(error) => format!("{file}: {error}"),
        _ => format!("{file}: holds no {what} in PEM form"),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| (CERTIFICATE, because(certificate, error, "certificate")))?;
    if chain.is_empty() {
        return Err((CERTIFICATE, format!("{certificate}: holds no certificate in PEM form")));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| (PRIVATE_KEY, because(key, error, "private key")))?;
    match CertifiedKey::from_der(chain, private, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err((PRIVATE_KEY, format!("{key}: is not the key of {certificate}")))
        }
        Err(Error::InvalidCertificate(_)) => Err((CERTIFICATE, format!("{certificate}: its first certificate cannot be read"))),
        // What this library cannot compare, Envoy may still serve with.
        Err(Error::InconsistentKeys(_)) => Ok(()),
        Err(_) => Err((PRIVATE_KEY, format!("{key}: is no key of a kind that is known here: RSA, or ECDSA on P-256 or P-384"))),
    }
}
