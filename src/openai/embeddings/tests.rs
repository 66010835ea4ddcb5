//! What is read of an embeddings request, what is refused, and what is named then.

use super::*;

fn parse(body: &str) -> EmbeddingRequest<'_> {
    EmbeddingRequest::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

fn refused(body: &str) -> BadRequest {
    EmbeddingRequest::parse(body.as_bytes()).map(|request| request.inputs).expect_err(body)
}

#[test]
fn inputs_are_weighed_by_what_they_are() {
    let many = format!(r#"[{}"ab"]"#, r#""ab","#.repeat(2047));
    let long = format!("[{}7]", "7,".repeat(8190));
    for (input, expected) in [
        // inputs, bytes of text, tokens, tokens at most, tokens of the longest
        (r#""a""#, [1, 1, 1, 1, 1]),
        (r#""eight by""#, [1, 8, 2, 8, 2]),
        (r#""\u00e9\n""#, [1, 8, 2, 8, 2]),
        (r#"["a", "twelve bytes"]"#, [2, 13, 4, 13, 3]),
        (r#"[ " " ]"#, [1, 1, 1, 1, 1]),
        ("[0]", [1, 0, 1, 1, 1]),
        ("[ 15339 , 4294967295 ]", [1, 0, 2, 2, 2]),
        ("[[1],[2,3 , 4]]", [2, 0, 4, 4, 3]),
        (many.as_str(), [2048, 4096, 2048, 4096, 1]),
        (long.as_str(), [1, 0, 8191, 8191, 8191]),
    ] {
        let body = format!(r#"{{"model":"m","input":{input}}}"#);
        let request = parse(&body);
        let found =
            [request.inputs, request.text_bytes, request.prompt_tokens, request.prompt_tokens_at_most, request.longest_input_tokens];
        assert_eq!(found, expected, "{}", input.get(..80).unwrap_or(input));
    }
}

#[test]
fn our_own_members_are_taken_out_and_nothing_else_moves() {
    for (body, expected) in [
        (r#"{"model":"m","input":"x"}"#, r#"{"input":"x"}"#),
        (r#"{"input":["x" , "y"],"model":"m","future": [1.50]}"#, r#"{"input":["x" , "y"],"future": [1.50]}"#),
        (r#"{"input":[1 ,2],"route":{"objective":"cost"},"model":"m"}"#, r#"{"input":[1 ,2]}"#),
        ("\n {\"model\":\"m\",\"input\":[[1]],\"user\":null} ", "{\"input\":[[1]],\"user\":null} "),
    ] {
        let (end, kept) = parse(body).bare(body.as_bytes());
        assert_eq!(String::from_utf8(kept.into_owned()).expect("UTF-8") + &body[end..], expected, "{body}");
    }
}

#[test]
fn documented_members_are_read() {
    let body = r#"{"model":"m\u006f","input":"x","dimensions":256,"encoding_format":"base64","user":"u","route":{"fallbacks":["n"]}}"#;
    let request = parse(body);
    assert_eq!((request.model.as_ref(), request.dimensions, request.encoding_format), ("mo", Some(256), EncodingFormat::Base64));
    assert_eq!(request.route.fallbacks, ["n"]);
    assert_eq!(request.needs(), Needs { embeddings: true, ..Needs::default() });
    let request = parse(r#"{"model":"m","input":"x","dimensions":null,"encoding_format":null,"user":null,"route":null}"#);
    assert_eq!((request.dimensions, request.encoding_format, request.route), (None, EncodingFormat::Float, Route::default()));
    assert_eq!(parse(r#"{"model":"m","input":"x","encoding_format":"float"}"#).encoding_format, EncodingFormat::Float);
}

#[test]
fn an_error_names_the_member_and_never_quotes_it() {
    let input = |input: &str| format!(r#"{{"model":"m","input":{input}}}"#);
    let with = |extra: &str| format!(r#"{{"model":"m","input":"x",{extra}}}"#);
    for (body, named) in [
        (r#"{"input":"x"}"#.to_owned(), "model"),
        (r#"{"model":"","input":"x"}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "input"),
        (input("null"), "input"),
        (input("7"), "input"),
        (input(r#"{"secret":1}"#), "input"),
        (input(r#""""#), "input"),
        (input("[]"), "input"),
        (input("[ ]"), "input"),
        (input(r#"["a","b","c",""]"#), "input[3]"),
        (input(r#"["secret",7]"#), "input[1]"),
        (input(r#"["secret",null]"#), "input[1]"),
        (input("[null]"), "input[0]"),
        (input(r#"[{"text":"secret"}]"#), "input[0]"),
        (input(r#"[1,"secret"]"#), "input[1]"),
        (input("[1,[2]]"), "input[1]"),
        (input("[1,-2]"), "input[1]"),
        (input("[1.5]"), "input[0]"),
        (input("[1,1e3]"), "input[1]"),
        (input("[4294967296]"), "input[0]"),
        (input("[[1],[]]"), "input[1]"),
        (input(r#"[[1,2],[3,"secret"]]"#), "input[1][1]"),
        (input("[[[1]]]"), "input[0][0]"),
        (input(r#"[[1],"secret"]"#), "input[1]"),
        (input(&format!(r#"[{}"secret"]"#, r#""a","#.repeat(2048))), "input"),
        (input(&format!("[{}[1]]", "[1],".repeat(2048))), "input"),
        (with(r#""dimensions":0"#), "dimensions"),
        (with(r#""dimensions":1.5"#), "dimensions"),
        (with(r#""dimensions":"256""#), "dimensions"),
        (with(r#""encoding_format":"secret""#), "encoding_format"),
        (with(r#""encoding_format":1"#), "encoding_format"),
        (with(r#""user":7"#), "user"),
        (with(r#""route":{"objective":1}"#), "route.objective"),
        (with(r#""input":"secret""#), "input"),
        (with(r#""inp\u0075t":"secret""#), "input"),
        (with(r#""model":"n""#), "model"),
        (with(r#""dimensions":1,"dimensions":1"#), "dimensions"),
        (with(r#""user":"secret","user":"secret""#), "user"),
        (with(r#""encoding_format":"float","encoding_format":"float""#), "encoding_format"),
        (with(r#""route":{},"route":{}"#), "route"),
    ] {
        match refused(&body) {
            BadRequest::Invalid { param, message } => {
                assert_eq!(param, named, "{body}");
                assert!(!message.contains("secret"), "{body}: {message}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_json_is_not_blamed_on_an_input() {
    use super::super::members::NotAnObject::{Syntax, TooMany, Truncated};
    for (body, expected) in [
        (r#"{"model":"m","input":["a"#.to_owned(), Truncated),
        (r#"{"model":"m","input":["#.to_owned(), Truncated),
        (r#"{"model":"m","input":[[1,"#.to_owned(), Truncated),
        (r#"{"model":"m","input":[nope]}"#.to_owned(), Syntax { line: 1, column: 24 }),
        (r#"{"model":"m","input":[1,]}"#.to_owned(), Syntax { line: 1, column: 25 }),
        (format!(r#"{{"model":"m","input":[{}0]}}"#, "0,".repeat(400_000)), TooMany),
    ] {
        assert_eq!(refused(&body), BadRequest::NotAnObject(expected), "{}", body.get(..80).unwrap_or(&body));
    }
    assert_eq!(EmbeddingRequest::parse(b"{\"input\":\"\xff\"}").map(|request| request.inputs), Err(BadRequest::NotUtf8));
}

#[test]
fn as_many_tokens_as_openai_takes_are_read() {
    let body = format!(r#"{{"model":"m","input":[{}[{}1]]}}"#, "[1],".repeat(2047), "1,".repeat(297_952));
    assert_eq!((parse(&body).inputs, parse(&body).prompt_tokens), (2048, 300_000));
}
