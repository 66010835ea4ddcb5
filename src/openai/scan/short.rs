//! Names and short strings, as most are written: the next byte is the opening quote, and the closing one
//! stands in the same block, with nothing but plain text in between.

use super::block::{BLOCK, Marks};
use super::{Scan, Stop};

impl<'a> Scan<'a> {
    /// A member's name and its colon.
    pub(super) fn name(&mut self) -> Result<&'a str, Stop> {
        if let Some(length) = self.short()
            && self.text.as_bytes().get(self.at + length) == Some(&b':')
        {
            let name = self.text.get(self.at..self.at + length).unwrap_or_default();
            self.at += length + 1;
            return Ok(name);
        }
        self.white_space();
        let from = self.at;
        self.expect(b'"')?;
        self.string()?;
        let name = self.text.get(from..self.at).unwrap_or_default();
        self.expect(b':')?;
        Ok(name)
    }

    /// Goes over a string, if the next value is a short one.
    #[inline]
    pub(super) fn short_string(&mut self) -> Result<Option<&'a str>, Stop> {
        let Some(length) = self.short() else { return Ok(None) };
        self.values_left = self.values_left.checked_sub(1).ok_or(Stop::TooMany)?;
        let value = self.text.get(self.at..self.at + length);
        self.at += length;
        Ok(value)
    }

    /// How long the string is that begins here, with its quotes.
    #[inline]
    fn short(&self) -> Option<usize> {
        let (quote, inside) = self.text.as_bytes().get(self.at..)?.split_first()?;
        let block: &[u8; BLOCK] = inside.first_chunk()?;
        if *quote != b'"' {
            return None;
        }
        let length = Marks::new().special(block).trailing_zeros() as usize;
        (block.get(length) == Some(&b'"')).then_some(length + 2)
    }
}
