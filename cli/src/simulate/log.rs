//! The access log as a whole: the calls in it, and what became of all other lines.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use super::record::{self, LeftOut, Line, Record};
use crate::failure::Failure;
use crate::input;

/// A line of Envoy's is some two kilobytes: the longest are those of calls with many attempts.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Replayed a thousand times over for the intervals, these take some seconds and 100 MB.
pub(super) const MAX_CALLS: usize = 100_000;

/// What a log holds.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) lines: usize,
    pub(super) calls: Vec<Record>,
    /// Line numbers by reason.
    pub(super) left_out: BTreeMap<LeftOut, Vec<usize>>,
    /// Line numbers with what is wrong.
    pub(super) bad: Vec<(usize, String)>,
}

/// Reads a log; lines of other workspaces than `only` are left out.
pub(super) fn read(path: &Path, only: Option<&str>) -> Result<Log, Failure> {
    of(input::open(path)?, only).map_err(|error| input::failed(path, &error))?.checked(path)
}

fn of(log: impl Read, only: Option<&str>) -> std::io::Result<Log> {
    let mut reader = BufReader::new(log);
    let mut read = Log::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 || read.calls.len() > MAX_CALLS {
            return Ok(read);
        }
        read.lines += 1;
        if line.len() > MAX_LINE_BYTES {
            reader.skip_until(b'\n')?;
            read.bad.push((read.lines, format!("longer than {MAX_LINE_BYTES} bytes")));
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) => read.add(text.trim(), only),
            Err(_) => read.bad.push((read.lines, "not UTF-8".to_owned())),
        }
    }
}

impl Log {
    fn add(&mut self, text: &str, only: Option<&str>) {
        match record::read(self.lines, text, only) {
            Ok(Line::Call(record)) => self.calls.push(*record),
            Ok(Line::LeftOut(why)) => self.left_out.entry(why).or_default().push(self.lines),
            Err(why) => self.bad.push((self.lines, why)),
        }
    }

    fn checked(self, path: &Path) -> Result<Self, Failure> {
        if self.calls.len() > MAX_CALLS {
            return Err(Failure::new(format!("{}: more than {MAX_CALLS} calls; replay a part of it", path.display())));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_bad_and_the_next_one_is_read() {
        let long = [b"{\"".as_slice(), &vec![b'x'; 3 * MAX_LINE_BYTES], b"\n"].concat();
        let text = [&long, b"\xff\n".as_slice(), b"{}\n", b"{"].concat();
        let log = of(text.as_slice(), None).unwrap();
        assert_eq!(log.lines, 4);
        assert_eq!(log.left_out, BTreeMap::from([(LeftOut::Undecided, vec![3])]));
        let bad: Vec<usize> = log.bad.iter().map(|(line, _)| *line).collect();
        assert_eq!(bad, [1, 2, 4], "{:?}", log.bad);
    }
}
