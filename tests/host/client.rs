//! What reaches the client of a call, through the downstream seat or past it: answers, local replies
//! of the seats and of Envoy, and the end.

use core::ops::ControlFlow::{Break, Continue};

use super::headers::Headers;
use super::lane::Piece;
use super::message::{Answer, Finish, Leaves};
use super::router::{Call, Flow};
use super::vm::{Effect, effects};

impl Call<'_> {
    /// A local reply of a seat.
    pub(super) fn filters_reply(&mut self, status: u32, headers: Headers, body: Vec<u8>) -> Flow {
        self.client.property("response\0code_details", Vec::new());
        self.local_reply(status, headers, body)
    }

    /// A local reply of Envoy, in the form that the rendered `local_reply_config` gives it.
    pub(super) fn envoys_reply(&mut self, status: u16, details: &'static str) -> Flow {
        self.client.property("response\0code_details", details.as_bytes().to_vec());
        let status = if status >= 500 { 503 } else { status };
        let body =
            br#"{"error":{"type":"no_provider_available","message":"The gateway could not complete the call.","code":null,"param":null}}"#;
        self.local_reply(status.into(), Headers::of(&[("content-type", "application/json"), ("retry-after", "1")]), body.to_vec())
    }

    fn local_reply(&mut self, status: u32, given: Headers, body: Vec<u8>) -> Flow {
        let mut headers = Headers::of(&[(":status", &status.to_string())]);
        for name in given.names() {
            headers.add(name.as_bytes(), given.bytes(name).unwrap_or_default());
        }
        if body.is_empty() {
            headers.remove(b"content-type");
        } else {
            headers.set(b"content-length", body.len().to_string().as_bytes());
            if headers.bytes("content-type").is_none() {
                headers.add(b"content-type", b"text/plain");
            }
        }
        if self.response_begun {
            if self.answer.headers.len() > 0 {
                return Break(Finish::Torn);
            }
            // Past the filters: the answer was on its way through them.
            self.answer.headers = headers;
            self.answer.body = vec![body];
            return Break(Finish::Whole);
        }
        self.client_gets(Piece::Headers(headers, body.is_empty()))?;
        self.client_gets(Piece::Data(body, true))?;
        panic!("the downstream seat holds a reply that has ended: the call hangs")
    }

    /// Through the downstream seat to the client.
    pub(super) fn client_gets(&mut self, piece: Piece) -> Flow {
        self.response_begun = true;
        let ends = piece.ends();
        let mut passed = self.client.response.send(piece);
        for effect in effects() {
            match effect {
                Effect::Resume => passed.extend(self.client.response.resume()),
                Effect::Reset => return Break(Finish::Torn),
                Effect::LocalReply { status, headers, body } => return self.filters_reply(status, headers, body),
            }
        }
        for piece in passed {
            let last = piece.ends();
            match piece {
                Piece::Headers(headers, _) => self.answer.headers = headers,
                Piece::Data(bytes, _) if bytes.is_empty() => {}
                Piece::Data(bytes, _) => self.answer.body.push(bytes),
                Piece::Trailers(trailers) => self.answer.trailers = Some(trailers),
            }
            if last {
                return Break(Finish::Whole);
            }
            if self.leaves == Leaves::After(self.answer.body.len()) {
                return Break(Finish::Left);
            }
        }
        assert!(!ends, "the downstream seat holds an answer that has ended: the call hangs");
        Continue(())
    }

    pub(super) fn end(mut self, finish: Finish) -> Answer {
        if finish == Finish::Left {
            // Envoy's DOWNSTREAM_CONNECTION_TERMINATION.
            let flags = (1_u64 << 14).to_le_bytes().to_vec();
            for seat in [Some(&self.client), self.provider.as_ref()].into_iter().flatten() {
                seat.property("response\0flags", flags.clone());
            }
        }
        self.client.log();
        self.client.done();
        self.client.delete();
        if let Some(seat) = self.provider.take() {
            seat.done();
            seat.delete();
        }
        let state = self.state.borrow().iter().map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value.clone())).collect();
        Answer { finish, state, ..self.answer }
    }
}
