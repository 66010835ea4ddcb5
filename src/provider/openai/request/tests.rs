//! Requests as the vendors get them, and the table that says so.

use super::super::OpenAi;
use super::super::dialects::{
    AZURE, CEREBRAS, DEEPSEEK, FIREWORKS, GROQ, LMSTUDIO, MOONSHOT, OPENAI, OPENROUTER, PERPLEXITY, TOGETHER, VLLM, XAI,
};
use crate::openai::{Endpoint, Fields, Request};
use crate::provider::{Call, Codec, RequestBody, Treatment};

const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

/// The vendor's body behind the model's name, and the changes. What the router would splice is what is translated.
fn sent(vendor: &'static OpenAi, model: &str, body: &str) -> (String, Vec<String>) {
    let whole = body.replacen('{', r#"{"model":"m","#, 1);
    let request = Request::parse(Endpoint::Chat, whole.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"));
    let fields = request.fields();
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 10, fields };
    let (translated, changes) = vendor.request(&call, body).unwrap_or_else(|failed| panic!("{failed:?}: {body}"));
    let translated = String::from_utf8(translated).expect("UTF-8");
    match vendor.body(&call) {
        RequestBody::Head(head) => {
            let spliced = [String::from_utf8(head).expect("UTF-8").as_str(), body.get(1..).unwrap_or_default()].concat();
            assert_eq!((spliced, &changes), (translated.clone(), &Vec::new()), "{body}");
        }
        RequestBody::Translate => {}
    }
    let rest = translated.strip_prefix(&format!(r#"{{"model":"{model}","#)).unwrap_or_else(|| panic!("{translated}"));
    (rest.to_owned(), changes)
}

#[test]
fn members_are_renamed_and_left_out_as_the_model_wants_it() {
    for (vendor, model, extra, expected, changes) in [
        (&OPENAI, "gpt-4o", r#""max_tokens":5,"temperature":0.2"#, r#"{HI},"max_tokens":5,"temperature":0.2}"#, &[][..]),
        (&OPENAI, "o3-mini", r#""max_tokens":5"#, r#""max_completion_tokens":5,{HI}}"#, &[]),
        (&OPENAI, "o3-mini", r#""max_tokens":5,"max_completion_tokens":6"#, r#"{HI},"max_completion_tokens":6}"#, &["dropped max_tokens"]),
        (&OPENAI, "gpt-5-mini", r#""temperature":0.2,"top_p":1,"presence_penalty":0"#, "{HI}}", &["dropped temperature"]),
        (&OPENAI, "o4-mini", r#""parallel_tool_calls":false,"seed":7"#, r#"{HI},"seed":7}"#, &["dropped parallel_tool_calls"]),
        (&OPENAI, "gpt-5", r#""parallel_tool_calls":false"#, r#"{HI},"parallel_tool_calls":false}"#, &[]),
        (&OPENAI, "gpt-5.1", r#""temperature":0.2"#, r#"{HI},"temperature":0.2}"#, &[]),
        (&OPENAI, "gpt-5.1", r#""temperature":0.2,"reasoning_effort":"none""#, r#"{HI},"temperature":0.2,"reasoning_effort":"none"}"#, &[]),
        (
            &OPENAI,
            "gpt-5.1",
            r#""temperature":0.2,"reasoning_effort":"low""#,
            r#"{HI},"reasoning_effort":"low"}"#,
            &["dropped temperature"],
        ),
        (&OPENAI, "gpt-5-chat-latest", r#""temperature":0.2,"max_tokens":5"#, r#""max_completion_tokens":5,{HI},"temperature":0.2}"#, &[]),
        (&AZURE, "o1", r#""max_tokens":5"#, r#""max_completion_tokens":5,{HI}}"#, &[]),
        (&DEEPSEEK, "deepseek-chat", r#""max_completion_tokens":5,"n":1,"seed":7"#, r#""max_tokens":5,{HI}}"#, &["dropped seed"]),
        (
            &DEEPSEEK,
            "deepseek-chat",
            r#""max_completion_tokens":5,"max_tokens":6"#,
            r#"{HI},"max_tokens":6}"#,
            &["dropped max_completion_tokens"],
        ),
        (
            &GROQ,
            "qwen",
            r#""reasoning_effort":"minimal","store":false"#,
            r#""reasoning_effort":"low",{HI}}"#,
            &["reasoning_effort changed from minimal to low"],
        ),
        (&GROQ, "qwen", r#""reasoning_effort":"default""#, r#"{HI},"reasoning_effort":"default"}"#, &[]),
        (&XAI, "grok-4", r#""reasoning_effort":"none","presence_penalty":0"#, "{HI}}", &[]),
        (&XAI, "grok-4", r#""reasoning_effort":"low""#, "{HI}}", &["dropped reasoning_effort"]),
        (&XAI, "grok-3-mini", r#""reasoning_effort":"low""#, r#"{HI},"reasoning_effort":"low"}"#, &[]),
        (&XAI, "grok-3", r#""stop":["x"],"presence_penalty":0.5"#, r#"{HI},"stop":["x"],"presence_penalty":0.5}"#, &[]),
        (&MOONSHOT, "kimi-k2.6", r#""temperature":0.6"#, "{HI}}", &["dropped temperature"]),
        (&MOONSHOT, "moonshot-v1-8k", r#""temperature":0.6"#, r#"{HI},"temperature":0.6}"#, &[]),
        (
            &LMSTUDIO,
            "q",
            r#""tool_choice":{"type":"function","function":{"name":"f"}}"#,
            r#""tool_choice":"required",{HI}}"#,
            &["tool_choice changed to required, since it cannot name a function"],
        ),
        (&LMSTUDIO, "q", r#""tool_choice":"auto""#, r#"{HI},"tool_choice":"auto"}"#, &[]),
        (&OPENROUTER, "a/b", r#""metadata":{"a":"b"},"transforms":[]"#, r#"{HI},"metadata":{"a":"b"},"transforms":[]}"#, &[]),
        (
            &VLLM,
            "q",
            r#""guided_json":{},"user":"u","m\u0065tadata":{"a":"b"}"#,
            r#"{HI},"guided_json":{},"user":"u"}"#,
            &["dropped metadata"],
        ),
    ] {
        let (rest, listed) = sent(vendor, model, &format!("{{{HI},{extra}}}"));
        assert_eq!(
            (rest, listed),
            (expected.replacen("{HI}", HI, 1), changes.iter().map(|c| (*c).to_owned()).collect()),
            "{model}: {extra}"
        );
    }
}

#[test]
fn messages_lose_what_the_vendor_refuses_and_nothing_else() {
    let echoed = r#"{"role":"assistant","content":"x","refusal":null,"annotations":[],"reasoning_content":"y","future":1}"#;
    let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{}}}"#;
    let plain = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
    let calls = |call: &str, more: &str| format!(r#"{{"role":"assistant","content":null,"tool_calls":[{call}]{more}}}"#);
    let marked = r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}"#;
    let dropped = |names: &[&str]| names.iter().map(|name| format!("dropped {name}")).collect::<Vec<_>>();
    let blank = vec!["added a blank messages[].reasoning_content to tool calls".to_owned()];
    for (vendor, message, expected, changes) in [
        (
            &OPENAI,
            echoed.to_owned(),
            r#"{"role":"assistant","content":"x","refusal":null,"annotations":[],"future":1}"#.to_owned(),
            dropped(&["messages[].reasoning_content"]),
        ),
        (&OPENROUTER, echoed.to_owned(), echoed.to_owned(), vec![]),
        (
            &GROQ,
            echoed.to_owned(),
            r#"{"role":"assistant","content":"x"}"#.to_owned(),
            dropped(&["messages[].annotations", "messages[].reasoning_content", "messages[].future"]),
        ),
        (
            &FIREWORKS,
            echoed.to_owned(),
            r#"{"role":"assistant","content":"x","reasoning_content":"y"}"#.to_owned(),
            dropped(&["messages[].annotations", "messages[].future"]),
        ),
        (&DEEPSEEK, echoed.to_owned(), echoed.to_owned(), vec![]),
        (&CEREBRAS, calls(call, ""), calls(plain, ""), dropped(&["messages[].tool_calls[].extra_content"])),
        (&OPENAI, calls(call, ""), calls(plain, ""), dropped(&["messages[].tool_calls[].extra_content"])),
        (&DEEPSEEK, calls(plain, ""), calls(plain, r#","reasoning_content":" ""#), blank.clone()),
        (&DEEPSEEK, calls(plain, r#","reasoning_content":"""#), calls(plain, r#","reasoning_content":" ""#), blank.clone()),
        (&MOONSHOT, calls(plain, r#","reasoning_content":null"#), calls(plain, r#","reasoning_content":" ""#), blank),
        (&DEEPSEEK, calls(plain, r#","reasoning_content":"hm""#), calls(plain, r#","reasoning_content":"hm""#), vec![]),
        (
            &OPENAI,
            marked.to_owned(),
            r#"{"role":"user","content":[{"type":"text","text":"x"}]}"#.to_owned(),
            dropped(&["messages[].content[].cache_control"]),
        ),
        (&OPENROUTER, marked.to_owned(), marked.to_owned(), vec![]),
        (
            &TOGETHER,
            r#"{"role":"d\u0065veloper","content":"x","name":"n"}"#.to_owned(),
            r#"{"role":"system","content":"x","name":"n"}"#.to_owned(),
            vec![],
        ),
        (
            &GROQ,
            r#"{"role":"user","name":"n","content":"x"}"#.to_owned(),
            r#"{"role":"user","content":"x"}"#.to_owned(),
            dropped(&["messages[].name"]),
        ),
    ] {
        let body = |message: &str| format!(r#"{{"seed":1, "messages" : [ {{"role":"user","content":"é"}} ,{message}]}}"#);
        let seed = if vendor.dialect("m").without.has("seed") { 1 } else { 0 };
        let (rest, mut listed) = sent(vendor, "m", &body(&message));
        listed.retain(|change| change != "dropped seed");
        let expected = body(&expected);
        let expected = if seed == 1 { expected.replacen(r#""seed":1, "#, "", 1) } else { expected };
        assert_eq!((rest.as_str(), listed), (&expected[1..], changes), "{message}");
    }
}

#[test]
fn markers_in_tools_go_where_there_is_no_cache_to_mark() {
    let tools = |marker: &str| format!(r#""tools":[{{"type":"function","function":{{"name":"f"{marker}}}{marker}}}]"#);
    let marked = format!("{{{HI},{}}}", tools(r#","cache_control":{"type":"ephemeral"}"#));
    let (rest, changes) = sent(&OPENAI, "gpt-4o", &marked);
    assert_eq!(rest, format!("{HI},{}}}", tools("")));
    assert_eq!(changes, ["dropped tools[].function.cache_control", "dropped tools[].cache_control"]);
    assert_eq!(sent(&OPENROUTER, "a/b", &marked).1, Vec::<String>::new());
}

#[test]
fn embeddings_are_nobodys_dialect() {
    let call =
        Call { endpoint: Endpoint::Embeddings, model: "m", stream: false, stream_options: None, max_output: 1, fields: Fields::default() };
    let translated = GROQ.request(&call, r#"{"input":["x"],"user":"u"}"#).expect("a body");
    assert_eq!(translated, (br#"{"model":"m","input":["x"],"user":"u"}"#.to_vec(), vec![]));
}

#[test]
fn options_of_a_stream_are_kept_from_who_does_not_know_them() {
    let call = |stream_options| Call {
        endpoint: Endpoint::Chat,
        model: "sonar",
        stream: true,
        stream_options,
        max_output: 1,
        fields: Fields::default(),
    };
    let options = Some(r#"{"include_usage":true}"#);
    assert_eq!(PERPLEXITY.body(&call(options)), RequestBody::Head(br#"{"model":"sonar","#.to_vec()));
    let head = br#"{"model":"sonar","stream_options":{"include_usage":true},"#.to_vec();
    assert_eq!(GROQ.body(&call(options)), RequestBody::Head(head));
}

/// What the table says is what is done: of every member alone, with a value that asks for something.
#[test]
fn the_table_of_treatments_is_what_happens() {
    let samples = [
        ("audio", r#"{"voice":"alloy","format":"mp3"}"#),
        ("frequency_penalty", "0.5"),
        ("function_call", r#""auto""#),
        ("functions", r#"[{"name":"f"}]"#),
        ("logit_bias", r#"{"50256":-100}"#),
        ("logprobs", "true"),
        ("max_completion_tokens", "5"),
        ("max_tokens", "5"),
        ("metadata", r#"{"a":"b"}"#),
        ("modalities", r#"["text","audio"]"#),
        ("moderation", r#"{"model":"omni-moderation-latest"}"#),
        ("n", "2"),
        ("parallel_tool_calls", "false"),
        ("prediction", r#"{"type":"content","content":"x"}"#),
        ("presence_penalty", "0.5"),
        ("prompt_cache_key", r#""k""#),
        ("prompt_cache_options", r#"{"mode":"explicit"}"#),
        ("prompt_cache_retention", r#""24h""#),
        ("reasoning_effort", r#""low""#),
        ("response_format", r#"{"type":"text"}"#),
        ("safety_identifier", r#""s""#),
        ("seed", "7"),
        ("service_tier", r#""flex""#),
        ("stop", r#"["x"]"#),
        ("store", "true"),
        ("temperature", "0.5"),
        ("tool_choice", r#""required""#),
        ("tools", r#"[{"type":"function","function":{"name":"f"}}]"#),
        ("top_logprobs", "0"),
        ("top_p", "0.5"),
        ("user", r#""u""#),
        ("verbosity", r#""low""#),
        ("web_search_options", "{}"),
    ];
    for protocol in crate::provider::Protocol::all().filter(|protocol| protocol.wire == "openai") {
        for model in ["", "o3", "gpt-5", "gpt-5.1", "grok-4", "grok-3", "moonshot-v1-8k"] {
            let codec = protocol.codec(model);
            let table = codec.treatments();
            assert_eq!(table.len(), samples.len() + 7, "{}: every member and kind has its row", protocol.name);
            for (name, value) in samples {
                let body = format!(r#"{{{HI},"{name}":{value}}}"#);
                let whole = body.replacen('{', r#"{"model":"m","#, 1);
                let request = Request::parse(Endpoint::Chat, whole.as_bytes()).expect(name);
                let (needs, fields) = (request.needs(), request.fields());
                let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 9, fields };
                let (sent, changes) = codec.request(&call, &body).expect(name);
                let sent = String::from_utf8(sent).expect("UTF-8");
                let said = format!("{} {model} {name}: {sent} {changes:?}", protocol.name);
                let treatment = table.iter().find(|(row, _)| *row == name).map(|(_, treatment)| *treatment);
                // Alone, `top_logprobs` can only ask for none, which is no reason to refuse.
                let refused = treatment == Some(Treatment::Refused) && name != "top_logprobs";
                assert_eq!(codec.lacks(&needs).is_some(), refused, "{said}");
                match treatment {
                    Some(Treatment::Passed | Treatment::Mapped(_)) => assert!(sent.contains(value) && changes.is_empty(), "{said}"),
                    Some(Treatment::Dropped) => {
                        assert!(!sent.contains(&format!("\"{name}\":")) && changes == [format!("dropped {name}")], "{said}")
                    }
                    Some(Treatment::Refused) => {}
                    None => panic!("{said}"),
                }
            }
        }
    }
}

/// The same of kinds of content.
#[test]
fn the_table_of_treatments_is_what_happens_to_kinds_of_content() {
    let user = |content: &str| format!(r#""messages":[{{"role":"user","content":[{content}]}}]"#);
    let kinds = [
        ("image_url (web)", user(r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#)),
        ("image_url (data)", user(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}"#)),
        ("input_audio", user(r#"{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}}"#)),
        ("file", user(r#"{"type":"file","file":{"file_id":"f"}}"#)),
        ("custom tools", format!(r#"{HI},"tools":[{{"type":"custom","custom":{{"name":"f"}}}}]"#)),
        ("messages[].name", r#""messages":[{"role":"user","content":"x","name":"n"}]"#.to_owned()),
        ("cache_control", user(r#"{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}"#)),
    ];
    for protocol in crate::provider::Protocol::all().filter(|protocol| protocol.wire == "openai") {
        let codec = protocol.codec("");
        for (name, members) in &kinds {
            let whole = format!(r#"{{"model":"m",{members}}}"#);
            let needs = Request::parse(Endpoint::Chat, whole.as_bytes()).expect(name).needs();
            let call =
                Call { endpoint: Endpoint::Chat, model: "m", stream: false, stream_options: None, max_output: 9, fields: needs.asked };
            let (_, changes) = codec.request(&call, &format!("{{{members}}}")).expect(name);
            let said = format!("{} {name}: {changes:?}", protocol.name);
            let treatment = codec.treatments().iter().find(|(row, _)| row == name).map(|(_, treatment)| *treatment);
            let refused = codec.lacks(&needs).is_some();
            match treatment {
                Some(Treatment::Passed) => assert!(!refused && changes.is_empty(), "{said}"),
                Some(Treatment::Dropped) => assert!(!refused && changes.iter().any(|change| change.contains(name)), "{said}"),
                Some(Treatment::Refused) => assert!(refused, "{said}"),
                other => panic!("{said}: {other:?}"),
            }
        }
    }
}
