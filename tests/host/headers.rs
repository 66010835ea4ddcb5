//! A header map as Envoy keeps it: ordered, lower-case names, any byte in a value, and the form in
//! which the ABI carries it.

/// Names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// A map of these pairs.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.add(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    /// The first value of a name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The first value of a name, as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).map(|value| core::str::from_utf8(value).expect("a header the test reads is text"))
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| core::str::from_utf8(name).expect("header names are text"))
    }

    /// Adds a value. As in Envoy, a second `authorization` is joined to the first by a comma.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        match self.0.iter_mut().find(|(n, _)| *n == name && n == b"authorization") {
            Some((_, joined)) => {
                joined.push(b',');
                joined.extend_from_slice(value);
            }
            None => self.0.push((name, value.to_vec())),
        }
    }

    /// Puts one value in the place of all of them.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        match self.0.iter().position(|(n, _)| *n == name) {
            Some(at) => {
                self.0[at].1 = value.to_vec();
                let mut position = 0;
                self.0.retain(|(n, _)| {
                    position += 1;
                    position == at + 1 || *n != name
                });
            }
            None => self.0.push((name, value.to_vec())),
        }
    }

    /// Removes every value of a name and returns the first.
    pub fn remove(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let name = name.to_ascii_lowercase();
        let first = self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
        self.0.retain(|(n, _)| *n != name);
        first
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The ABI's form: a count, the lengths, then the bytes, each closed by a zero.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = word(self.0.len());
        for (name, value) in &self.0 {
            out.extend(word(name.len()));
            out.extend(word(value.len()));
        }
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            out.extend_from_slice(part);
            out.push(0);
        }
        out
    }

    /// Reads the ABI's form.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut headers = Self::default();
        let Some(count) = bytes.first_chunk::<4>().map(|count| u32::from_le_bytes(*count) as usize) else { return headers };
        let mut at = 4 + count * 8;
        let mut part = |index: usize| {
            let length = bytes[4 + index * 4..].first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
            let length = length.expect("the ABI's header form has a length for every part");
            let part = &bytes[at..at + length];
            at += length + 1;
            part
        };
        for index in 0..count {
            let (name, value) = (part(index * 2), part(index * 2 + 1));
            headers.add(name, value);
        }
        headers
    }
}

fn word(length: usize) -> Vec<u8> {
    u32::try_from(length).expect("header maps are small").to_le_bytes().to_vec()
}
