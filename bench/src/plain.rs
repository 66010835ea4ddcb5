//! A request to a control port (the simulator's, Envoy's administration): one connection, one answer.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::framing::Head;

/// Sends one request; status and body of the answer.
pub(crate) async fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
    let because = |error: std::io::Error| format!("{method} http://{address}{path}: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(because)?;
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.map_err(because)?;
    let (mut input, mut answer) = (Vec::new(), Vec::new());
    let mut head: Option<Head> = None;
    loop {
        if stream.read_buf(&mut input).await.map_err(because)? == 0 {
            return Err(format!("{method} http://{address}{path}: the connection was closed before the answer was complete"));
        }
        if head.is_none() {
            head = Head::parse(&input)?;
            let Some(found) = &head else { continue };
            input.drain(..found.length);
        }
        if let Some(found) = &mut head
            && found.framing.take(&mut input, &mut answer)?
        {
            return Ok((found.status, String::from_utf8_lossy(&answer).into_owned()));
        }
    }
}

/// The same for requests that must succeed.
pub(crate) async fn done(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<String, String> {
    match exchange(address, method, path, body).await? {
        (200..=299, answer) => Ok(answer),
        (status, answer) => Err(format!("{method} http://{address}{path} was answered {status}: {answer}")),
    }
}
