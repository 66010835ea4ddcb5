//! Base URLs: only what a provider's can be, `http(s)://host[:port][/path]`.

use super::catalog::Endpoint;

impl Endpoint {
    /// Parses a base URL; the error says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("a URL begins with https:// or http://"),
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_end_matches('/')),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("credentials do not belong in a URL; use api_key or auth");
        }
        if path.contains(['?', '#', ' ']) || path.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err("this URL has no query, fragment or spaces");
        }
        let default_port = if tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => match v6.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or("a port follows the bracket after a colon")?)),
                None => return Err("an IPv6 address is closed by a bracket"),
            },
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse::<u16>().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?,
            None => default_port,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err("the host is a name or an IP address");
        }
        let path = if path.is_empty() { String::new() } else { ["/", path].concat() };
        Ok(Self { tls, host: host.to_owned(), port, path, authority: authority.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn reads_base_urls() {
        for (url, tls, host, port, path, authority) in [
            ("https://api.openai.com/v1", true, "api.openai.com", 443, "/v1", "api.openai.com"),
            ("https://api.anthropic.com", true, "api.anthropic.com", 443, "", "api.anthropic.com"),
            ("http://127.0.0.1:11434/v1/", false, "127.0.0.1", 11434, "/v1", "127.0.0.1:11434"),
            ("http://[::1]:8000/a/b", false, "::1", 8000, "/a/b", "[::1]:8000"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            let expected = Endpoint { tls, host: host.into(), port, path: path.into(), authority: authority.into() };
            assert_eq!(endpoint, expected, "{url}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_base_url() {
        for url in [
            "",
            "api.openai.com",
            "ftp://x",
            "https://",
            "https://k@x/v1",
            "https://x:0",
            "https://x:99999",
            "https://x/v1?key=1",
            "http://[::1",
            "https://a b/",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
