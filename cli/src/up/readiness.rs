//! Is it there yet? Asked of the parts themselves, over TCP.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use neural_router::config::Document;
use signal_hook::iterator::Signals;

use super::ENDING;
use super::child::{Family, PAUSE};
use crate::failure::Failure;

/// For one question; it goes no further than this machine.
const ANSWER: Duration = Duration::from_secs(2);

/// Waits until `is_ready`. False when a signal to end came first; an error when a child ended or the
/// time was up.
pub(super) fn wait(
    family: &mut Family,
    signals: &mut Signals,
    limit: Duration,
    name: &str,
    is_ready: impl Fn() -> bool,
) -> Result<bool, Failure> {
    let end = Instant::now() + limit;
    loop {
        family.all_alive()?;
        if signals.pending().any(|signal| ENDING.contains(&signal)) {
            return Ok(false);
        }
        if is_ready() {
            return Ok(true);
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("{name} was not ready within {} seconds; what it said stands above", limit.as_secs())));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether something listens.
pub(super) fn accepts(address: impl Into<SocketAddr>) -> bool {
    TcpStream::connect_timeout(&address.into(), ANSWER).is_ok()
}

/// Whether Envoy is live and the filter answers.
pub(super) fn serves(document: &Document) -> bool {
    let (Some(listener), Some(admin)) =
        (reachable(&document.listen.address, document.listen.port), reachable(&document.admin.address, document.admin.port))
    else {
        return false;
    };
    let answers = if document.listen.tls.is_some() { accepts(listener) } else { is_ok(listener, "/healthz") };
    answers && is_ok(admin, "/ready")
}

/// An address to connect to for one to listen on: "any" is this machine.
pub(crate) fn reachable(address: &str, port: u16) -> Option<SocketAddr> {
    let address = match address.parse().ok()? {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    Some(SocketAddr::new(address, port))
}

fn is_ok(address: SocketAddr, path: &str) -> bool {
    status(address, path).is_ok_and(|line| line.starts_with(b"HTTP/1.1 200"))
}

/// The first bytes of the answer to a GET.
fn status(address: SocketAddr, path: &str) -> std::io::Result<[u8; 12]> {
    let mut connection = TcpStream::connect_timeout(&address, ANSWER)?;
    connection.set_read_timeout(Some(ANSWER))?;
    connection.set_write_timeout(Some(ANSWER))?;
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = [0; 12];
    connection.read_exact(&mut line)?;
    Ok(line)
}
