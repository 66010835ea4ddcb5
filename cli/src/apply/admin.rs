//! Envoy's administration, spoken to over a bare connection: a few short questions to a server of this
//! machine are no reason for an HTTP library.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::failure::Failure;

/// For one question. Envoy answers from its main thread, which a new filter keeps busy for seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// Where Envoy is administered, `host:port`.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub(crate) String);

impl Admin {
    /// The body of a page.
    pub(crate) fn get(&self, path: &str) -> Result<String, Failure> {
        self.ask("GET", path)
    }

    /// Makes Envoy do something.
    pub(crate) fn post(&self, path: &str) -> Result<String, Failure> {
        self.ask("POST", path)
    }

    /// The statistics whose names match, as `(name, value)`.
    pub(crate) fn stats(&self, pattern: &str) -> Result<Vec<(String, String)>, Failure> {
        let text = self.get(&format!("/stats?filter={}", encoded(pattern)))?;
        let line = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
        Ok(text.lines().filter_map(line).collect())
    }

    fn ask(&self, method: &str, path: &str) -> Result<String, Failure> {
        let said = self.exchange(method, path).map_err(|error| {
            let what = match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer within {} seconds", ANSWER.as_secs()),
                _ => error.to_string(),
            };
            Failure::new(format!("Envoy's administration at {}: {what}", self.0))
        })?;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((said.as_str(), ""));
        if !head.starts_with("HTTP/1.1 200") {
            let line = head.lines().next().unwrap_or_default();
            return Err(Failure::new(format!("Envoy's administration at {} answers {method} {path} with `{line}`", self.0)));
        }
        let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
        Ok(if chunked { unchunked(body) } else { body.to_owned() })
    }

    fn exchange(&self, method: &str, path: &str) -> std::io::Result<String> {
        let nowhere = || std::io::Error::other("the name does not resolve");
        let address = self.0.to_socket_addrs()?.next().ok_or_else(nowhere)?;
        let mut connection = TcpStream::connect_timeout(&address, ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        write!(connection, "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", self.0)?;
        let mut said = Vec::new();
        connection.read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// The content of a chunked body (<https://www.rfc-editor.org/rfc/rfc9112#section-7.1>), as far as it is well-formed.
fn unchunked(mut body: &str) -> String {
    let mut content = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Some((piece, rest)) =
            usize::from_str_radix(size, 16).ok().filter(|size| *size > 0).and_then(|size| rest.split_at_checked(size))
        else {
            break;
        };
        content.push_str(piece);
        body = rest.strip_prefix("\r\n").unwrap_or(rest);
    }
    content
}

/// A value for a query string.
fn encoded(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together_and_a_torn_one_is_left_out() {
        assert_eq!(unchunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "abcde");
        assert_eq!(unchunked("3\r\nabc\r\nff\r\nde"), "abc");
    }

    #[test]
    fn a_pattern_survives_a_query_string() {
        assert_eq!(encoded("^a.b|c$"), "%5Ea.b%7Cc%24");
    }
}
