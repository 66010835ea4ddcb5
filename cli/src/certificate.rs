//! The certificate of the listener, looked at before Envoy does: are both files there, are they what
//! they should be, do they belong together, is the key nobody else's, and for how long will it do?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use neural_router::config::document::{FileRef, Tls};
use neural_router::ledger::calendar::rfc3339;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::{EndEntityCert, KeyUsage};

use crate::finding::{Finding, Rule};

const CERTIFICATE: &str = "listen.tls.certificate.file";
const PRIVATE_KEY: &str = "listen.tls.private_key.file";

/// The sentence for what keeps Envoy from serving with this pair; its first words are the place.
pub(crate) fn complaint(tls: &Tls) -> Option<String> {
    fault(tls).map(|(path, what)| format!("{path}: {what}"))
}

/// The sentence for a provider's authority that cannot be read.
pub(crate) fn untrusting(provider: &str, authority: &str) -> Option<String> {
    chain(authority).err().map(|what| format!("providers.{provider}.ca.file: {what}"))
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
    unusable.into_iter().chain(outdated(tls, UnixTime::now())).chain(exposed).collect()
}

/// Who renews certificates by a program does it earlier; who does it by hand needs some days.
const SOON: Duration = Duration::from_secs(30 * DAY_S);

const DAY_S: u64 = 86_400;

/// The certificate of the chain that ends first, if that is soon or over; one that has not begun comes before it.
fn outdated(tls: &Tls, now: UnixTime) -> Option<Finding> {
    let FileRef { file } = &tls.certificate;
    // What cannot be read has been told of.
    let chain = chain(file).ok()?;
    let each = chain.iter().enumerate().filter_map(|(n, certificate)| Some((n, validity(certificate)?)));
    let (n, (from, until)) = each.min_by_key(|(_, (from, until))| (*from <= now, *until))?;
    let which = if n == 0 { file.clone() } else { format!("{file}: certificate {} of the chain", n + 1) };
    let left = match until.as_secs().saturating_sub(now.as_secs()) / DAY_S {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let (what, why) = match () {
        () if now < from => (format!("{which}: is not valid before {}", rfc3339(from.as_secs())), "until then clients refuse to connect"),
        () if now > until => (format!("{which}: expired at {}", rfc3339(until.as_secs())), "clients refuse to connect"),
        () if until.as_secs().saturating_sub(now.as_secs()) <= SOON.as_secs() => {
            (format!("{which}: expires at {}, in {left}", rfc3339(until.as_secs())), "from then on clients refuse to connect")
        }
        () => return None,
    };
    let advice = "rename a new one over it, and its key: Envoy takes them without a restart".to_owned();
    Some(Finding { rule: Rule::TlsValidity, path: CERTIFICATE.to_owned(), what, why: why.to_owned(), advice })
}

/// From when until when a certificate is valid. The library tells no dates, but it says which of them is in the way
/// of a moment that is none of the certificate's; it looks at them before all else.
fn validity(certificate: &CertificateDer<'_>) -> Option<(UnixTime, UnixTime)> {
    let moment = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let at = |time| certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err();
    let Some(webpki::Error::CertExpired { not_after, .. }) = at(moment(BEYOND_S)) else { return None };
    match at(moment(0)) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => Some((not_before, not_after)),
        _ => Some((moment(0), not_after)),
    }
}

/// The year 10000, which no certificate can write.
const BEYOND_S: u64 = 253_402_300_800;

/// Of the permissions of a file; a group is often meant to read it.
const READ_BY_OTHERS: u32 = 0o004;

/// Place and reason of the first fault. Neither file's content is repeated.
fn fault(tls: &Tls) -> Option<(&'static str, String)> {
    belong_together(tls).err()
}

fn belong_together(tls: &Tls) -> Result<(), (&'static str, String)> {
    let FileRef { file: certificate } = &tls.certificate;
    let FileRef { file: key } = &tls.private_key;
    let chain = chain(certificate).map_err(|what| (CERTIFICATE, what))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| (PRIVATE_KEY, because(key, &error, "private key")))?;
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

/// The certificates of a file, at least one.
fn chain(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let chain: Vec<CertificateDer<'static>> = chain.map_err(|error| because(file, &error, "certificate"))?;
    if chain.is_empty() { Err(because(file, &PemError::NoItemsFound, "certificate")) } else { Ok(chain) }
}

fn because(file: &str, error: &PemError, what: &str) -> String {
    match error {
        PemError::Io(error) => format!("{file}: {error}"),
        _ => format!("{file}: holds no {what} in PEM form"),
    }
}
