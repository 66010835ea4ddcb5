//! Tool calls as clients need them: an id that is nobody else's, arguments that are an object in a string, and in
//! a stream an index that counts from 0 without gaps.

use super::choices::call_bytes;
use super::patch::Patch;
use crate::openai::members::decode;
use crate::openai::scan::{Scan, Stop};
use crate::provider::translate::answer::call_id;
use crate::provider::translate::json::{inner, write_dense};
use crate::provider::{Envelope, Fault};

/// One call, or a piece of one, as it is written; `null` and empty texts are absent.
#[derive(Default)]
struct Call<'a> {
    whole: &'a str,
    index: Option<&'a str>,
    /// The member, whatever it is.
    id_written: Option<&'a str>,
    id: Option<&'a str>,
    has_type: bool,
    function: Option<&'a str>,
    name: Option<&'a str>,
    arguments: Option<&'a str>,
}

/// More than OpenAI takes tools.
const MAX_CALLS: usize = 128;

/// Visits the objects among the calls.
fn each<'a>(calls: &'a str, mut visit: impl FnMut(Call<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut outcome = Ok(());
    // It has been gone over before: an error means that it is no array.
    let _ = Scan::new(calls).array(|scan, index| {
        if scan.peek() != Some(b'{') || index >= MAX_CALLS || outcome.is_err() {
            if index >= MAX_CALLS {
                outcome = Err(Fault::Malformed);
            }
            return scan.value().map(drop);
        }
        let mut call = Call::default();
        let (whole, ()) = scan.written(|scan| scan.object(|scan, name| member(&mut call, scan, name)))?;
        outcome = visit(Call { whole, ..call });
        Ok::<_, Stop>(())
    });
    outcome
}

fn member<'a>(call: &mut Call<'a>, scan: &mut Scan<'a>, name: &'a str) -> Result<(), Stop> {
    let name = decode(name);
    if name.as_deref() == Some("function") && scan.peek() == Some(b'{') {
        let (function, ()) = scan.written(|scan| {
            scan.object(|scan, name| {
                let value = scan.value()?;
                match decode(name).as_deref() {
                    Some("name") => call.name = Some(value).filter(|value| is_text(value)),
                    Some("arguments") => call.arguments = Some(value),
                    _ => {}
                }
                Ok::<_, Stop>(())
            })
        })?;
        call.function = Some(function);
        return Ok(());
    }
    let value = scan.value()?;
    match name.as_deref() {
        Some("index") => call.index = Some(value),
        Some("id") => (call.id_written, call.id) = (Some(value), Some(value).filter(|value| is_text(value))),
        Some("type") => call.has_type = is_text(value),
        _ => {}
    }
    Ok(())
}

fn is_text(value: &str) -> bool {
    inner(value).is_some_and(|text| !text.is_empty())
}

/// Arguments that clients would stumble over, and what they mean.
fn mended(arguments: &str) -> Option<String> {
    match arguments {
        "null" | r#""""# | r#""null""# => Some(r#""{}""#.to_owned()),
        _ if arguments.starts_with(['{', '[']) => {
            let mut dense = Vec::with_capacity(arguments.len() + 2);
            write_dense(arguments, &mut dense);
            String::from_utf8(dense).ok()
        }
        _ => inner(arguments).filter(|text| text.trim_ascii().is_empty()).map(|_| r#""{}""#.to_owned()),
    }
}

/// Ids given so far in a whole answer.
#[derive(Default)]
pub(super) struct Given<'a> {
    ids: Vec<&'a str>,
    calls: usize,
}

impl<'a> Given<'a> {
    /// Mends the calls of a message.
    pub(super) fn mend(&mut self, calls: &'a str, envelope: &Envelope<'_>, patch: &mut Patch<'a>) -> Result<(), Fault> {
        each(calls, |call| {
            let count = self.calls;
            self.calls += 1;
            match call.id.filter(|id| !self.ids.contains(id)) {
                Some(id) => self.ids.push(id),
                None => set_id(&call, &call_id(envelope, count), patch),
            }
            if let Some(function) = call.function {
                if !call.has_type {
                    patch.add(call.whole, r#""type":"function""#);
                }
                set_arguments(function, call.arguments, call.arguments.map_or(Some(r#""{}""#.to_owned()), mended), patch);
            }
            Ok(())
        })
    }
}

fn set_id<'a>(call: &Call<'a>, id: &str, patch: &mut Patch<'a>) {
    match call.id_written {
        Some(written) => patch.set(written, id),
        None => patch.add(call.whole, &[r#""id":"#, id].concat()),
    }
}

fn set_arguments<'a>(function: &'a str, written: Option<&'a str>, value: Option<String>, patch: &mut Patch<'a>) {
    match (written, value) {
        (Some(written), Some(value)) => patch.set(written, value),
        (None, Some(value)) => patch.add(function, &[r#""arguments":"#, &value].concat()),
        (_, None) => {}
    }
}

/// The calls of one choice of a stream so far.
#[derive(Default)]
pub(super) struct Begun(Vec<One>);

struct One {
    /// As the vendor counts.
    index: Option<u64>,
    /// As the vendor calls it, a string literal.
    id: Option<String>,
    /// Something of its arguments has come.
    argued: bool,
}

impl Begun {
    /// Mends the pieces of a delta and says how many bytes the model has written. `last` says that nothing follows.
    pub(super) fn mend<'a>(&mut self, calls: &'a str, last: bool, envelope: &Envelope<'_>, patch: &mut Patch<'a>) -> Result<u64, Fault> {
        let mut bytes = 0;
        each(calls, |piece| {
            bytes += piece.function.map_or(0, call_bytes) as u64;
            match self.place(&piece) {
                Some(place) => self.goes_on(place, &piece, last, patch),
                None => return self.begins(&piece, last, envelope, patch),
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Which call a piece goes on with. Some vendors give every call the index 0 and tell them apart by their ids,
    /// some give none, and some repeat id and name with every piece.
    fn place(&self, piece: &Call<'_>) -> Option<usize> {
        let index = piece.index.and_then(|index| index.parse::<u64>().ok());
        let place = match index {
            Some(_) => self.0.iter().rposition(|one| one.index == index)?,
            None => match piece.id {
                Some(id) => self.0.iter().rposition(|one| one.id.as_deref() == Some(id))?,
                None => self.0.len().checked_sub(1)?,
            },
        };
        let one = self.0.get(place)?;
        let another = match (piece.id, one.id.as_deref()) {
            (Some(id), Some(known)) => id != known,
            (Some(_), None) => false,
            // A second name without an id, after arguments.
            (None, _) => piece.name.is_some() && one.argued,
        };
        (!another).then_some(place)
    }

    fn begins<'a>(&mut self, piece: &Call<'a>, last: bool, envelope: &Envelope<'_>, patch: &mut Patch<'a>) -> Result<(), Fault> {
        let place = self.0.len();
        if place == MAX_CALLS {
            return Err(Fault::Malformed);
        }
        if piece.id.is_none_or(|id| self.0.iter().any(|one| one.id.as_deref() == Some(id))) {
            set_id(piece, &call_id(envelope, place), patch);
        }
        set_index(piece, place, patch);
        if let Some(function) = piece.function {
            if !piece.has_type {
                patch.add(piece.whole, r#""type":"function""#);
            }
            set_arguments(function, piece.arguments, piece_of(piece.arguments, false, last), patch);
        }
        let index = piece.index.and_then(|index| index.parse().ok());
        // What is no function has its input elsewhere.
        let argued = last || argues(piece.arguments) || piece.function.is_none();
        self.0.push(One { index, id: piece.id.map(str::to_owned), argued });
        Ok(())
    }

    fn goes_on<'a>(&mut self, place: usize, piece: &Call<'a>, last: bool, patch: &mut Patch<'a>) {
        let Some(one) = self.0.get_mut(place) else { return };
        let arguments = piece_of(piece.arguments, one.argued, last);
        one.argued |= last || argues(piece.arguments);
        if one.id.is_none() {
            one.id = piece.id.map(str::to_owned);
        }
        // Clients join the pieces of every text: what is said again would be said twice.
        if piece.id.is_some() || piece.name.is_some() {
            let arguments = arguments.as_deref().or(piece.arguments).unwrap_or(EMPTY);
            patch.set(piece.whole, format!(r#"{{"index":{place},"function":{{"arguments":{arguments}}}}}"#));
            return;
        }
        set_index(piece, place, patch);
        if let Some(function) = piece.function {
            set_arguments(function, piece.arguments, arguments, patch);
        }
    }

    /// What is to be said before the end: arguments of calls that have none.
    pub(super) fn missing(&mut self) -> Option<String> {
        let mut pieces = Vec::new();
        for (place, one) in self.0.iter_mut().enumerate().filter(|(_, one)| !one.argued) {
            one.argued = true;
            pieces.push(format!(r#"{{"index":{place},"function":{{"arguments":"{{}}"}}}}"#));
        }
        (!pieces.is_empty()).then(|| pieces.join(","))
    }
}

const EMPTY: &str = r#""""#;

/// Whether a piece of arguments has any.
fn argues(arguments: Option<&str>) -> bool {
    !matches!(arguments, None | Some("null" | EMPTY | r#""null""#))
}

/// What stands for a piece of arguments, if it cannot stay. `argued` says whether others came before it.
fn piece_of(arguments: Option<&str>, argued: bool, last: bool) -> Option<String> {
    let said = match arguments {
        Some(object) if object.starts_with(['{', '[']) => return mended(object),
        Some(text) if argued && text != "null" => return None,
        arguments if argued || !argues(arguments) => {
            if last && !argued {
                r#""{}""#
            } else {
                EMPTY
            }
        }
        _ => return None,
    };
    (arguments != Some(said)).then(|| said.to_owned())
}

fn set_index<'a>(piece: &Call<'a>, place: usize, patch: &mut Patch<'a>) {
    match piece.index {
        Some(index) if index.parse() == Ok(place) => {}
        Some(index) => patch.set(index, place.to_string()),
        None => patch.add(piece.whole, &format!(r#""index":{place}"#)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_7", model: "m", created: 7, routing: "{}", include_usage: false, bill: None };

    fn whole(calls: &str) -> String {
        let mut patch = Patch::new(calls);
        Given::default().mend(calls, &ENVELOPE, &mut patch).expect("calls");
        patch.apply(calls)
    }

    #[test]
    fn a_whole_answer_has_calls_that_can_be_called() {
        let call =
            |id: &str, arguments: &str| format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":{arguments}}}}}"#);
        for (calls, expected) in [
            (call("a", r#""{\"x\":1}""#), call("a", r#""{\"x\":1}""#)),
            // Cut by the bound on its length, which the answer says.
            (call("a", r#""{\"x\":1""#), call("a", r#""{\"x\":1""#)),
            (call("a", "null"), call("a", r#""{}""#)),
            (call("a", r#""""#), call("a", r#""{}""#)),
            (call("a", r#"" ""#), call("a", r#""{}""#)),
            (call("a", r#""null""#), call("a", r#""{}""#)),
            (call("a", r#"{"x": "y z"}"#), call("a", r#""{\"x\":\"y z\"}""#)),
            (call("", r#""{}""#), call("call_nrc7_0", r#""{}""#)),
            ([call("a", r#""{}""#), call("a", r#""{}""#)].join(","), [call("a", r#""{}""#), call("call_nrc7_1", r#""{}""#)].join(",")),
            (
                r#"{"function":{"name":"f"}}"#.to_owned(),
                r#"{"function":{"name":"f","arguments":"{}"},"id":"call_nrc7_0","type":"function"}"#.to_owned(),
            ),
            (
                r#"{"id":"a","type":"custom","custom":{"name":"f","input":""}}"#.to_owned(),
                r#"{"id":"a","type":"custom","custom":{"name":"f","input":""}}"#.to_owned(),
            ),
            ("7".to_owned(), "7".to_owned()),
        ] {
            assert_eq!(whole(&format!("[{calls}]")), format!("[{expected}]"));
        }
    }

    #[test]
    fn more_calls_than_there_can_be_tools_are_no_answer() {
        let calls = |count: usize| format!("[{}]", vec![r#"{"id":"a","function":{}}"#; count].join(","));
        let (most, more) = (calls(128), calls(129));
        assert_eq!(Given::default().mend(&most, &ENVELOPE, &mut Patch::new(&most)), Ok(()));
        assert_eq!(Given::default().mend(&more, &ENVELOPE, &mut Patch::new(&more)), Err(Fault::Malformed));
        assert_eq!(Begun::default().mend(&more, false, &ENVELOPE, &mut Patch::new(&more)), Err(Fault::Malformed));
    }

    /// What clients make of the deltas: index, id, name and arguments of each call.
    fn streamed(deltas: &[&str]) -> Vec<(usize, String, String, String)> {
        let mut begun = Begun::default();
        let mut calls: Vec<(usize, String, String, String)> = Vec::new();
        let mut sent: Vec<String> = deltas
            .iter()
            .enumerate()
            .map(|(at, delta)| {
                let mut patch = Patch::new(delta);
                begun.mend(delta, at + 1 == deltas.len(), &ENVELOPE, &mut patch).expect("pieces");
                patch.apply(delta)
            })
            .collect();
        sent.extend(begun.missing().map(|pieces| format!("[{pieces}]")));
        for delta in &sent {
            let pieces: Vec<serde_json::Value> = serde_json::from_str(delta).unwrap_or_else(|error| panic!("{error}: {delta}"));
            for piece in &pieces {
                let index = piece["index"].as_u64().expect("an index") as usize;
                if index == calls.len() {
                    assert_eq!(piece["type"], "function", "{delta}");
                    calls.push((index, String::new(), String::new(), String::new()));
                }
                let call = calls.get_mut(index).expect("dense indices");
                call.1.push_str(piece["id"].as_str().unwrap_or_default());
                call.2.push_str(piece["function"]["name"].as_str().unwrap_or_default());
                call.3.push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
            }
        }
        calls
    }

    #[test]
    fn a_stream_has_dense_indices_ids_once_and_whole_arguments() {
        let one = |id: &str, name: &str, arguments: &str| (id.to_owned(), name.to_owned(), arguments.to_owned());
        for (case, deltas, expected) in [
            (
                "as OpenAI has it",
                &[
                    r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]"#,
                    r#"[{"index":0,"function":{"arguments":"{\"x\":"}}]"#,
                    r#"[{"index":0,"function":{"arguments":"1}"}}]"#,
                ][..],
                vec![one("a", "f", r#"{"x":1}"#)],
            ),
            (
                "index 0 for all, told apart by their ids",
                &[
                    r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]"#,
                    r#"[{"index":0,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]"#,
                ],
                vec![one("a", "f", "{}"), one("b", "g", "{}")],
            ),
            (
                "no index, no id",
                &[
                    r#"[{"function":{"name":"f","arguments":"{\"x\":"}}]"#,
                    r#"[{"function":{"arguments":"1}"}}]"#,
                    r#"[{"function":{"name":"g","arguments":"{}"}}]"#,
                ],
                vec![one("call_nrc7_0", "f", r#"{"x":1}"#), one("call_nrc7_1", "g", "{}")],
            ),
            (
                "counted from 1, with a gap",
                &[
                    r#"[{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":7,"id":"b","function":{"name":"g"}}]"#,
                    r#"[{"index":7,"function":{"arguments":"{}"}}]"#,
                ],
                vec![one("a", "f", "{}"), one("b", "g", "{}")],
            ),
            (
                "id and name with every piece",
                &[
                    r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\""}}]"#,
                    r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":":1}"}}]"#,
                ],
                vec![one("a", "f", r#"{"x":1}"#)],
            ),
            (
                "the same id twice",
                &[
                    r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}]"#,
                ],
                vec![one("a", "f", "{}"), one("call_nrc7_1", "f", "{}")],
            ),
            (
                "no arguments at all, in each way to say it",
                &[
                    r#"[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":null}}]"#,
                    r#"[{"index":2,"id":"c","function":{"name":"h","arguments":"null"}},{"index":3,"id":"d","function":{"name":"i"}}]"#,
                    "[]",
                ],
                vec![one("a", "f", "{}"), one("b", "g", "{}"), one("c", "h", "{}"), one("d", "i", "{}")],
            ),
            (
                "an object for arguments",
                &[r#"[{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}]"#],
                vec![one("a", "f", r#"{"x":1}"#)],
            ),
            (
                "nulls in later pieces",
                &[
                    r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]"#,
                    r#"[{"index":0,"id":null,"type":null,"function":{"name":null,"arguments":"}"}}]"#,
                ],
                vec![one("a", "f", "{}")],
            ),
        ] {
            let found: Vec<_> = streamed(deltas).into_iter().map(|(_, id, name, arguments)| (id, name, arguments)).collect();
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn what_is_as_it_should_be_stays_byte_for_byte() {
        let mut begun = Begun::default();
        for delta in [
            r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]"#,
            r#"[{"index":0,"function":{"arguments":"{\"x\":1}"}}]"#,
            r#"[{"index":1,"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]"#,
        ] {
            let mut patch = Patch::new(delta);
            assert!(begun.mend(delta, false, &ENVELOPE, &mut patch).is_ok() && patch.is_empty(), "{delta}");
        }
        assert_eq!(begun.missing(), None);
    }
}
