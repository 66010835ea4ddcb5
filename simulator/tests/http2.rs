//! HTTP/2 with prior knowledge on the same port.

mod harness;

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use harness::{CHAT, CHAT_STREAM, Simulator};

async fn ask(simulator: &Simulator, body: &'static str) -> Result<(u16, String), hyper::Error> {
    let stream = tokio::net::TcpStream::connect(simulator.openai).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post("http://test/v1/chat/completions").header("content-type", "application/json");
    let reply = sender.send_request(request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()).await?;
    let status = reply.status().as_u16();
    Ok((status, String::from_utf8(reply.into_body().collect().await?.to_bytes().to_vec()).unwrap()))
}

#[tokio::test]
async fn answers_and_streams_come_over_http2() {
    let simulator = Simulator::start();
    let (status, body) = ask(&simulator, CHAT).await.unwrap();
    assert_eq!((status, body.starts_with("{\"id\"")), (200, true));
    let (status, body) = ask(&simulator, CHAT_STREAM).await.unwrap();
    assert_eq!((status, body.ends_with("data: [DONE]\n\n")), (200, true));
    let kept = simulator.requests("openai");
    assert_eq!((&kept[0]["path"], &kept[0]["head_base64"]), (&"/v1/chat/completions".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn faults_break_http2_too() {
    let simulator = Simulator::start();
    for kind in ["reset_before_headers", "reset_mid_headers", "reset_mid_stream", "close_mid_stream"] {
        simulator.fault("openai", &format!(r#"{{"kind":"{kind}"}}"#));
        let outcome = tokio::time::timeout(Duration::from_secs(5), ask(&simulator, CHAT_STREAM)).await;
        assert!(outcome.expect("it breaks, it does not hang").is_err(), "{kind}");
    }
}
