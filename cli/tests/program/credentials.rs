//! `api_key` and `auth`: what is refused, what is rendered, and what is written where.

use std::os::unix::fs::PermissionsExt;

use serde_yaml_ng::Value;

use super::{Scratch, demo_with, nr, run, stderr, stdout};

const OAUTH2: &str = "token_url: https://login.example/t/token, client_id: me, client_secret: {env: NR_TEST_SECRET}";
const AWS: &str = "access_key_id: {env: NR_TEST_ID}, secret_access_key: {env: NR_TEST_SECRET}, session_token: {env: NR_TEST_SESSION}";

/// The demo with these lines added to the provider `anthropic`.
fn demo_of(lines: &[&str]) -> String {
    let url = "    base_url: http://127.0.0.1:18002";
    let lines: String = lines.iter().map(|line| format!("\n    {line}")).collect();
    demo_with(url, &[url, &lines].concat())
}

fn rendered(scratch: &Scratch, lines: &[&str]) -> Value {
    let output = run(&["render", "envoy", "--config", &scratch.file("case.yaml", &demo_of(lines)), "--secrets-at", "/s"]);
    assert!(output.status.success(), "{lines:?}: {}", stderr(&output));
    serde_yaml_ng::from_str(&stdout(&output)).unwrap()
}

/// The cluster with a name.
fn cluster<'a>(bootstrap: &'a Value, name: &str) -> &'a Value {
    let clusters = bootstrap["static_resources"]["clusters"].as_sequence().unwrap();
    clusters.iter().find(|cluster| cluster["name"] == name).unwrap_or_else(|| panic!("no cluster {name}"))
}

fn options(cluster: &Value) -> &Value {
    &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
}

/// The filter between the seat and the codec.
fn authenticates(bootstrap: &Value) -> &Value {
    let filters = options(cluster(bootstrap, "provider_anthropic"))["http_filters"].as_sequence().unwrap();
    let names: Vec<&str> = filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect();
    assert!(matches!(names[..], ["neural_router", _, "envoy.filters.http.upstream_codec"]), "{names:?}");
    &filters[1]
}

#[test]
fn an_error_names_the_field_and_never_what_stands_there() {
    let long = "x".repeat(65);
    let cases: &[(&str, &[&str], &str)] = &[
        ("two ways", &["api_key: {env: A}", "auth: {token: {file: /canary}}"], "auth"),
        ("a literal", &["auth: canary"], "auth"),
        ("an unknown way", &["auth: {canary: {}}"], "auth"),
        ("two in one", &["auth: {token: {file: /canary}, aws: default}"], "auth"),
        ("a token as text", &["auth: {token: canary}"], "auth.token"),
        ("a token beside us", &["auth: {token: {file: canary}}"], "auth.token"),
        ("a token of a variable", &["auth: {token: {env: canary}}"], "auth.token.env"),
        ("a word of AWS", &["auth: {aws: canary}"], "auth.aws"),
        ("half a key", &["region: eu-1", "auth: {aws: {access_key_id: {env: A}}}"], "auth.aws"),
        ("a literal id", &["region: eu-1", "auth: {aws: {access_key_id: canary, secret_access_key: {env: A}}}"], "auth.aws.access_key_id"),
        (
            "a literal secret",
            &["region: eu-1", "auth: {aws: {access_key_id: {env: A}, secret_access_key: {env: sk-canary}}}"],
            "auth.aws.secret_access_key",
        ),
        (
            "a literal session",
            &["region: eu-1", "auth: {aws: {access_key_id: {env: A}, secret_access_key: {env: A}, session_token: {file: canary}}}"],
            "auth.aws.session_token",
        ),
        ("no region", &["auth: {aws: default}"], "region"),
        ("a region that is none", &["region: EU_1", "auth: {aws: default}"], "region"),
        (
            "another that is none",
            &["region: eu-1", "auth: {aws: {access_key_id: {env: A}, secret_access_key: {env: A}, region: \"canary/\"}}"],
            "auth.aws.region",
        ),
        ("no client", &["auth: {oauth2: {token_url: https://a, client_secret: {env: A}}}"], "auth.oauth2"),
        (
            "a client without name",
            &["auth: {oauth2: {token_url: https://a, client_id: \"\", client_secret: {env: A}}}"],
            "auth.oauth2.client_id",
        ),
        ("no URL", &["auth: {oauth2: {token_url: canary, client_id: a, client_secret: {env: A}}}"], "auth.oauth2.token_url"),
        (
            "a secret in the URL",
            &["auth: {oauth2: {token_url: \"https://a/?s=canary\", client_id: a, client_secret: {env: A}}}"],
            "auth.oauth2.token_url",
        ),
        (
            "a literal client secret",
            &["auth: {oauth2: {token_url: https://a, client_id: a, client_secret: canary}}"],
            "auth.oauth2.client_secret",
        ),
        (
            "two scopes in one",
            &["auth: {oauth2: {token_url: https://a, client_id: a, client_secret: {env: A}, scopes: [a, b canary]}}"],
            "auth.oauth2.scopes[1]",
        ),
        ("a version with more", &["api_version: \"1&canary\""], "api_version"),
        ("a project with a path", &["project: canary/x"], "project"),
        ("a location with a port", &["location: canary:1"], "location"),
        ("a long region", &[&format!("region: {long}")], "region"),
    ];
    let scratch = Scratch::new();
    for (name, lines, path) in cases {
        let file = scratch.file("case.yaml", &demo_of(lines));
        for arguments in [&["check", &file][..], &["render", "envoy", "--config", &file, "--secrets-at", "/s"]] {
            let output = run(arguments);
            let expected = format!("error: {file}: providers.anthropic.{path}: ");
            assert!(stderr(&output).starts_with(&expected), "{name}: expected {expected:?} in {}", stderr(&output));
            assert!(!stderr(&output).contains("canary") && !stderr(&output).contains(&long), "{name}: {}", stderr(&output));
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{name}");
        }
    }
}

#[test]
fn a_key_goes_into_the_header_of_the_protocol_and_a_token_is_a_bearer() {
    let scratch = Scratch::new();
    for (line, header, prefix) in
        [("api_key: {env: A}", "x-api-key", None), ("auth: {token: {file: /var/run/token}}", "authorization", Some("Bearer "))]
    {
        let bootstrap = rendered(&scratch, &[line]);
        let injector = &authenticates(&bootstrap)["typed_config"];
        assert_eq!((&injector["overwrite"], &injector["allow_request_without_credential"]), (&true.into(), &true.into()));
        let generic = &injector["credential"]["typed_config"];
        assert_eq!(generic["header"], header);
        assert_eq!(generic.get("header_value_prefix").and_then(Value::as_str), prefix, "{line}");
        assert_eq!(generic["credential"]["sds_config"]["path_config_source"]["path"], "/s/provider_anthropic.yaml");
    }
}

#[test]
fn tokens_are_fetched_over_a_cluster_of_their_own() {
    let scratch = Scratch::new();
    let bootstrap = rendered(&scratch, &[&format!("auth: {{oauth2: {{{OAUTH2}, scopes: [a/.default, b]}}}}")]);
    let injector = &authenticates(&bootstrap)["typed_config"];
    assert_eq!((&injector["overwrite"], &injector["allow_request_without_credential"]), (&true.into(), &true.into()));
    let oauth2 = &injector["credential"]["typed_config"];
    assert_eq!(oauth2["@type"], "type.googleapis.com/envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2");
    assert_eq!(oauth2["token_endpoint"]["uri"], "https://login.example/t/token");
    assert_eq!(oauth2["scopes"], Value::Sequence(vec!["a/.default".into(), "b".into()]));
    assert_eq!(oauth2["client_credentials"]["client_id"], "me");
    let secret = &oauth2["client_credentials"]["client_secret"]["sds_config"]["path_config_source"];
    assert_eq!(secret["path"], "/s/provider_anthropic.yaml");
    let cluster = cluster(&bootstrap, oauth2["token_endpoint"]["cluster"].as_str().unwrap());
    assert_eq!(cluster["name"], "oauth2_anthropic");
    assert_eq!(cluster["transport_socket"]["typed_config"]["sni"], "login.example");
    assert_eq!(cluster["cluster_type"]["name"], "envoy.clusters.dns");
    assert_eq!(options(cluster).get("http_filters"), None, "no seat stands before a token endpoint");
}

#[test]
fn requests_are_signed_for_the_region_that_is_nearest() {
    let scratch = Scratch::new();
    let own = format!("auth: {{aws: {{{AWS}, region: us-west-2}}}}");
    let shared = format!("auth: {{aws: {{{AWS}}}}}");
    for (line, region, keys) in
        [(own.as_str(), "us-west-2", true), (&shared, "eu-west-1", true), ("auth: {aws: default}", "eu-west-1", false)]
    {
        let bootstrap = rendered(&scratch, &["region: eu-west-1", line]);
        let signer = authenticates(&bootstrap);
        assert_eq!(signer["name"], "envoy.filters.http.aws_request_signing");
        let signing = &signer["typed_config"];
        assert_eq!((signing["service_name"].as_str(), signing["region"].as_str()), (Some("bedrock"), Some(region)), "{line}");
        assert_eq!(signing.get("use_unsigned_payload"), None, "{line}: the body is signed");
        let provider = signing.get("credential_provider");
        assert_eq!(provider.is_some(), keys, "{line}");
        if let Some(provider) = provider {
            assert_eq!(provider["custom_credential_provider_chain"], Value::Bool(true), "no other keys are looked for");
            assert_eq!(provider["credentials_file_provider"]["profile"], "provider_anthropic");
            let source = &provider["credentials_file_provider"]["credentials_data_source"];
            assert_eq!(source["filename"], "/s/provider_anthropic.aws");
            assert_eq!(source["watched_directory"]["path"], "/s");
        }
    }
}

#[test]
fn secrets_of_the_environment_land_in_files_only_their_owner_reads() {
    let scratch = Scratch::new();
    let directory = scratch.path("secrets");
    let oauth2 = format!("auth: {{oauth2: {{{OAUTH2}}}}}");
    let aws = format!("auth: {{aws: {{{AWS}}}}}");
    for (line, file, expected) in [
        (&oauth2, "provider_anthropic.key", "canary-secret"),
        (
            &aws,
            "provider_anthropic.aws",
            "[provider_anthropic]\naws_access_key_id=canary-id\naws_secret_access_key=canary-secret\naws_session_token=canary-session\n",
        ),
    ] {
        let config = scratch.file("case.yaml", &demo_of(&["region: eu-west-1", line]));
        let output = nr(&["render", "envoy", "--config", &config, "--secrets", &directory])
            .env("NR_TEST_ID", "canary-id\n")
            .env("NR_TEST_SECRET", " canary-secret\n")
            .env("NR_TEST_SESSION", "canary-session")
            .output()
            .unwrap();
        assert_eq!((output.status.success(), stderr(&output).as_str()), (true, ""), "{line}");
        assert!(!stdout(&output).contains("canary"), "{line}");
        let path = format!("{directory}/{file}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "{line}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{line}");
    }
}

#[test]
fn what_is_missing_is_told_and_leaves_what_was_written_alone() {
    let scratch = Scratch::new();
    let directory = scratch.path("secrets");
    let config = scratch.file("case.yaml", &demo_of(&["region: eu-west-1", &format!("auth: {{aws: {{{AWS}}}}}")]));
    let render = || nr(&["render", "envoy", "--config", &config, "--secrets", &directory]);
    let file = format!("{directory}/provider_anthropic.aws");

    let output = render().env("NR_TEST_ID", "canary-id").output().unwrap();
    let warning = |field, variable| format!("warning: providers.anthropic.auth.aws.{field}: the variable {variable} is not set\n");
    let expected = [warning("secret_access_key", "NR_TEST_SECRET"), warning("session_token", "NR_TEST_SESSION")].concat();
    assert_eq!((output.status.success(), stderr(&output)), (true, expected.clone()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[provider_anthropic]\n", "half a key is none");
    let checked = nr(&["check", &config]).env("NR_TEST_ID", "canary-id").output().unwrap();
    let explained = " [missing-secret]\n  help: put it there before `nr up` or `nr render envoy --secrets`\n";
    let expected = expected.replace('\n', &format!("; the provider will refuse every call{explained}"));
    assert_eq!((checked.status.success(), stderr(&checked)), (true, expected));

    let written = "[provider_anthropic]\naws_access_key_id=a\naws_secret_access_key=b\n";
    std::fs::write(&file, written).unwrap();
    assert!(render().output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn a_client_s_secret_with_a_line_break_is_told_of_since_envoy_would_send_it() {
    let scratch = Scratch::new();
    let secret = scratch.path("secret");
    let auth = format!("auth: {{oauth2: {{token_url: https://a, client_id: a, client_secret: {{file: {secret}}}}}}}");
    let config = scratch.file("case.yaml", &demo_of(&[&auth]));
    for (text, expected) in [("canary", String::new()), ("canary\n", format!("{secret}: ends with a line break"))] {
        scratch.file("secret", text);
        let said = stderr(&run(&["check", &config]));
        assert!(said.contains(&expected) && said.is_empty() == expected.is_empty() && !said.contains("canary"), "{text:?}: {said}");
    }
}

#[test]
fn keys_that_envoy_would_misread_are_refused() {
    let scratch = Scratch::new();
    let directory = scratch.path("secrets");
    let config = scratch.file("case.yaml", &demo_of(&["region: eu-west-1", &format!("auth: {{aws: {{{AWS}}}}}")]));
    for (session, path) in [("canary\naws_access_key_id=x".to_owned(), "auth.aws.session_token"), ("c".repeat(4096), "auth.aws")] {
        let output = nr(&["render", "envoy", "--config", &config, "--secrets", &directory])
            .env("NR_TEST_ID", "canary-id")
            .env("NR_TEST_SECRET", "canary-secret")
            .env("NR_TEST_SESSION", session)
            .output()
            .unwrap();
        assert!(stderr(&output).starts_with(&format!("error: providers.anthropic.{path}: ")), "{}", stderr(&output));
        assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    }
}

#[test]
fn a_vendor_without_credentials_is_worth_a_warning_and_a_server_of_ones_own_is_not() {
    let scratch = Scratch::new();
    let check = |text: &str| stderr(&run(&["check", &scratch.file("case.yaml", text)]));
    assert_eq!(check(&demo_of(&[])), "");
    let vendor = demo_with("    base_url: http://127.0.0.1:18002\n", "");
    assert!(check(&vendor).starts_with("warning: providers.anthropic: neither api_key nor auth"), "{}", check(&vendor));
}
