//! Where an HTTP/1.1 response ends: its head, and a body of a known length or in chunks.

use std::mem;

/// What is needed of a response's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// Bytes of the head, the empty line included.
    pub(crate) length: usize,
}

impl Head {
    /// `None` until the head is complete.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("not an HTTP/1.1 response: {error}")),
        };
        let status = response.code.unwrap_or_default();
        for header in response.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                let left = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                let left = left.ok_or("the response's content-length is not a number")?;
                return Ok(Some(Self { status, framing: Framing::Length { left }, length }));
            }
            if header.name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
                return Ok(Some(Self { status, framing: Framing::Chunked(Chunked::Size), length }));
            }
        }
        Err(format!("a response of status {status} has neither content-length nor chunks"))
    }
}

/// How much of a body is still to come.
#[derive(Debug)]
pub(crate) enum Framing {
    Length { left: usize },
    Chunked(Chunked),
}

/// What the next byte of a chunked body belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chunked {
    Size,
    Data { left: usize },
    LineEnd,
    Trailer,
}

/// Hexadecimal size, extensions and line end together are shorter.
const SIZE_LINE: usize = 64;

impl Framing {
    /// Moves what belongs to the body from `input` to `body`; true when the body is complete.
    pub(crate) fn take(&mut self, input: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<bool, String> {
        match self {
            Self::Length { left } => {
                let taken = input.len().min(*left);
                body.extend(input.drain(..taken));
                *left -= taken;
                Ok(*left == 0)
            }
            Self::Chunked(state) => {
                let mut rest = input.as_slice();
                let done = dechunk(state, &mut rest, body);
                let used = input.len() - rest.len();
                input.drain(..used);
                done
            }
        }
    }
}

fn dechunk(state: &mut Chunked, rest: &mut &[u8], body: &mut Vec<u8>) -> Result<bool, String> {
    loop {
        match state {
            Chunked::Size => {
                let Some(line) = line(rest)? else { return Ok(false) };
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                let size = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
                *state = match size.ok_or("a chunk's size is not a hexadecimal number")? {
                    0 => Chunked::Trailer,
                    left => Chunked::Data { left },
                };
            }
            Chunked::Data { left } => {
                let (data, after) = rest.split_at(rest.len().min(*left));
                body.extend_from_slice(data);
                *rest = after;
                *left -= data.len();
                if *left > 0 {
                    return Ok(false);
                }
                *state = Chunked::LineEnd;
            }
            Chunked::LineEnd => match line(rest)? {
                None => return Ok(false),
                Some([]) => *state = Chunked::Size,
                Some(_) => return Err("a chunk is longer than its size".to_owned()),
            },
            Chunked::Trailer => match line(rest)? {
                None => return Ok(false),
                Some([]) => return Ok(true),
                Some(_) => {}
            },
        }
    }
}

/// The next line without its end, if all of it is there.
fn line<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, String> {
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > SIZE_LINE { Err("a line of the chunked body has no end".to_owned()) } else { Ok(None) };
    };
    let (line, after) = mem::take(rest).split_at(end);
    *rest = &after[1..];
    Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(response: &[u8], cut: usize) -> (u16, Vec<u8>) {
        let (first, second) = response.split_at(cut);
        let (mut input, mut body, mut head) = (Vec::new(), Vec::new(), None);
        for part in [first, second] {
            input.extend_from_slice(part);
            if head.is_none() {
                head = Head::parse(&input).unwrap();
                let Some(found) = &head else { continue };
                input.drain(..found.length);
            }
            if head.as_mut().unwrap().framing.take(&mut input, &mut body).unwrap() {
                assert!(input.is_empty());
                return (head.unwrap().status, body);
            }
        }
        panic!("incomplete after {} bytes, cut at {cut}", response.len());
    }

    #[test]
    fn a_response_is_read_the_same_wherever_reads_cut_it() {
        for response in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello\n\nyou\n"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n\n\nyou\n\r\n0\r\na: b\r\n\r\n",
        ] {
            for cut in 0..=response.len() {
                assert_eq!(read(response, cut), (200, b"hello\n\nyou\n".to_vec()), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_response_whose_end_cannot_be_known_is_refused() {
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n").unwrap_err().contains("neither"));
        assert!(Head::parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
