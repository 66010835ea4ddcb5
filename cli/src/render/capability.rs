//! What the module may do: of the functions that Envoy offers to every module, those that this one
//! calls, and of its callbacks, those that have something to do.
//!
//! A call that is not allowed does nothing and is an error to the module; a callback that is not
//! allowed is never looked for. So a mistake in the filter, or in a crate below it, can open no
//! connection of its own, call no other extension and read no queue, whatever it tries. Envoy binds
//! the functions when it loads the module: a call costs nothing more.

use serde_json::{Map, Value, json};

/// Every allowed name, sorted. A test compares them with the sources, and one on the real Envoy with
/// what the module imports.
const ALLOWED: [&str; 40] = [
    // WASI: what Rust's standard library needs to start and to say why it ends.
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    // Calls and callbacks of the ABI (<https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>).
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_grpc_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_done",
    "proxy_on_grpc_close",
    "proxy_on_grpc_receive",
    "proxy_on_log",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// The restriction of a plugin.
pub(super) fn restriction() -> Value {
    let allowed: Map<String, Value> = ALLOWED.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    json!({"allowed_capabilities": allowed})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::ALLOWED;

    /// What the filter's sources call or implement, and what that is in the ABI.
    const WORDS: [(&str, &[&str]); 37] = [
        ("call_foreign_function", &["proxy_call_foreign_function"]),
        ("cancel_grpc_call", &["proxy_grpc_cancel"]),
        ("define_metric", &["proxy_define_metric"]),
        ("dispatch_grpc_call", &["proxy_grpc_call"]),
        ("dispatch_http_call", &["proxy_http_call"]),
        ("get_buffer", &["proxy_get_buffer_bytes"]),
        ("get_current_time", &["proxy_get_current_time_nanoseconds"]),
        ("get_grpc_status", &["proxy_get_status"]),
        ("get_map_bytes", &["proxy_get_header_map_pairs"]),
        ("get_map_value_bytes", &["proxy_get_header_map_value"]),
        ("get_metric", &["proxy_get_metric"]),
        ("get_property", &["proxy_get_property"]),
        ("get_shared_data", &["proxy_get_shared_data"]),
        ("increment_metric", &["proxy_increment_metric"]),
        ("record_metric", &["proxy_record_metric"]),
        ("remove_map_value", &["proxy_remove_header_map_value"]),
        ("reset_http_response", &["proxy_close_stream"]),
        ("resume_http_request", &["proxy_continue_stream"]),
        ("send_http_response", &["proxy_send_local_response"]),
        ("set_effective_context", &["proxy_set_effective_context"]),
        ("set_buffer", &["proxy_set_buffer_bytes"]),
        ("set_map_bytes", &["proxy_set_header_map_pairs"]),
        ("set_map_value_bytes", &["proxy_replace_header_map_value"]),
        ("set_property", &["proxy_set_property"]),
        ("set_shared_data", &["proxy_set_shared_data"]),
        ("set_tick_period", &["proxy_set_tick_period_milliseconds"]),
        ("on_configure", &["proxy_on_configure"]),
        ("on_done", &["proxy_on_done"]),
        ("on_grpc_call_response", &["proxy_on_grpc_close", "proxy_on_grpc_receive"]),
        ("on_http_request_body", &["proxy_on_request_body"]),
        ("on_http_request_headers", &["proxy_on_request_headers"]),
        ("on_http_request_trailers", &["proxy_on_request_trailers"]),
        ("on_http_response_body", &["proxy_on_response_body"]),
        ("on_http_response_headers", &["proxy_on_response_headers"]),
        ("on_http_response_trailers", &["proxy_on_response_trailers"]),
        ("on_log", &["proxy_on_log"]),
        ("on_tick", &["proxy_on_tick"]),
    ];

    /// What Rust's standard library and the SDK need whatever the filter does.
    const ALWAYS: [&str; 8] = [
        "environ_get",
        "environ_sizes_get",
        "fd_write",
        "proc_exit",
        "proxy_log",
        "proxy_on_context_create",
        "proxy_on_delete",
        "proxy_set_effective_context",
    ];

    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                sources(&entry.path(), text);
            } else if entry.path().extension().is_some_and(|ending| ending == "rs") {
                text.push_str(&fs::read_to_string(entry.path()).unwrap());
            }
        }
    }

    /// The words of the sources that follow one of `openers` and stand before a bracket.
    fn words<'a>(text: &'a str, opener: &str) -> BTreeSet<&'a str> {
        let word = |rest: &'a str| rest.split_once('(').map(|(word, _)| word);
        let is_word = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        text.split(opener).skip(1).filter_map(word).filter(is_word).collect()
    }

    #[test]
    fn exactly_what_the_sources_use_is_allowed() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"), &mut text);
        let calls = words(&text, "hostcalls::");
        let callbacks: BTreeSet<&str> = words(&text, "fn ").into_iter().filter(|word| word.starts_with("on_")).collect();
        assert!(calls.len() > 10 && callbacks.len() > 8, "the sources were read: {calls:?} {callbacks:?}");
        let abi = |word: &str| {
            let (_, names) = WORDS.iter().find(|(known, _)| *known == word).unwrap_or_else(|| panic!("what is `{word}` in the ABI?"));
            names.iter().copied()
        };
        let used: BTreeSet<&str> = calls.into_iter().chain(callbacks).flat_map(abi).chain(ALWAYS).collect();
        let allowed: BTreeSet<&str> = ALLOWED.into_iter().collect();
        assert_eq!(used.difference(&allowed).collect::<Vec<_>>(), Vec::<&&str>::new(), "used, and Envoy would refuse it");
        assert_eq!(allowed.difference(&used).collect::<Vec<_>>(), Vec::<&&str>::new(), "allowed, and of no use");
    }

    #[test]
    fn the_names_are_sorted_and_stand_once() {
        assert!(ALLOWED.is_sorted_by(|a, b| a < b));
    }
}
