//! How often bytes follow each other in conversations, roughly: what is rare is a good sign.

/// Letters whatever their case, the space, digits, and everything else.
const CLASSES: usize = 29;

/// How often each class occurs, and how often it follows each of them (a row): `a` is always, `c` half of
/// the time, `e` a quarter, `z` hardly ever. Counted in a million characters of English prose and of
/// documentation with code in it.
const FIRST: &[u8; CLASSES] = b"jnkkhlmkispkljimujjilonpnwfnh";
#[rustfmt::skip]
const NEXT: [&[u8; CLASSES]; CLASSES] = [
    b"tkjkwpkzlzmgjfzkzgigmmqplzhto", b"hnqtezuzjjvgvwiqzjlrfsxzivlri", b"guoshtzgkpjkqvepzirgjzuzszkrk",
    b"lvukeuvtgxyputhszrkrmsuwqzdsg", b"ktjimmqsrsxlmhtnoghjznnjozevh", b"kzurhiwxezzozpfyzjokjztznzenl",
    b"lwrufsmihyymtllurjjnjovzrweug", b"gzzzczwzgzzqswizzmtkmzzztzhzl", b"nojlmjlzyzphiehlvlggxnzqzppzq",
    b"kszvezvzvprzzzlvzzczfzvzzzmlj", b"kzxqdsrzivtoplspzvgpotoztzfvg", b"iotkeqtxgzwgtzhnyslljsszjzgwi",
    b"eksofuzzjptnhqhhzpltmwzzozgqi", b"kzighogwlyrospiqzuhglovznzfvi", b"pmkjoinwpwokifmkzfmjgljzuzgzn",
    b"hssrfvvmjzqgruijzfkhjwuymzirj", b"oupzzsrzzuzzzzzzuqozbzozzzkph", b"itmmfrmzhzlmlmhszkjinqqzlzfwh",
    b"lxlygsvmizqqspjkzojglzqzlzdyh", b"jynqgszehzzptyhozklmnzopmzfti", b"klmmkjkzkzzijgrkzhfgywzyzzgvo",
    b"gzxzdzzzdwzzrvlyzzstxxzzzznhl", b"gxvsjsvgezztvlguzjkzzxrzzzgwj", b"gqksgsztizzrtutgwzqduzwmpzhni",
    b"louzowwzozzqohehznkmyzozvtdvh", b"gsnqcnznhzzmmqjzzmqszzzznljnh", b"hkilkjonisqlkljkumjglljulxzmg",
    b"orqqsqtzzvwtvwuzztsxxztqvwfdd", b"mnlnmnoonqtnnmonvpllnootuucje",
];

/// How likely one of several bytes is in each class, if that occurs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chances([f32; CLASSES]);

impl Chances {
    pub(super) fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut chances = Self::default();
        for byte in bytes {
            let (class, share) = share(byte);
            chances.0.get_mut(class).into_iter().for_each(|chance| *chance += share);
        }
        chances
    }

    /// The classes that have some of them.
    fn some(&self) -> impl Iterator<Item = (usize, f32)> {
        self.0.into_iter().enumerate().filter(|(_, chance)| *chance > 0.0)
    }
}

/// How likely it is that at a place of a text each of these follows the one before it.
pub(super) fn likelihood<'a>(mut sets: impl Iterator<Item = &'a Chances>) -> f32 {
    let Some(first) = sets.next() else { return 1.0 };
    let mut so_far = Chances::default();
    for ((class, chance), so_far) in first.0.into_iter().enumerate().zip(&mut so_far.0) {
        *so_far = chance * often(FIRST.get(class));
    }
    for next in sets {
        let mut with_next = Chances::default();
        for (to, chance) in next.some() {
            let follows = |from: usize| often(NEXT.get(from).and_then(|row| row.get(to)));
            let sum = so_far.some().map(|(from, so_far)| so_far * follows(from)).sum::<f32>();
            with_next.0.get_mut(to).into_iter().for_each(|with| *with = chance * sum);
        }
        so_far = with_next;
    }
    so_far.0.iter().sum()
}

/// What a letter in the tables stands for.
fn often(letter: Option<&u8>) -> f32 {
    let halves = letter.map_or(26, |letter| letter.saturating_sub(b'a'));
    let root = if halves.is_multiple_of(2) { 1.0 } else { core::f32::consts::FRAC_1_SQRT_2 };
    root / f32::from(1_u16.checked_shl((halves / 2).into()).unwrap_or(u16::MAX))
}

/// The class of a byte, and how much of the class is this byte.
fn share(byte: u8) -> (usize, f32) {
    let letter = |first: u8| usize::from(byte - first);
    match byte {
        b'a'..=b'z' => (letter(b'a'), 0.95),
        b'A'..=b'Z' => (letter(b'A'), 0.05),
        b' ' => (26, 1.0),
        b'0'..=b'9' => (27, 0.1),
        b'.' | b',' | b'"' | b'\\' => (28, 0.12),
        b'!'..=b'~' => (28, 0.015),
        _ => (28, 0.002),
    }
}
