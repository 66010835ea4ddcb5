//! `envoy.service.ratelimit.v3.RateLimitService`. One method, so it is put together by hand from tonic's parts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;
use tracing::{error, warn};

use crate::gate::{Decision, Gate, Undecided};
use crate::messages::{Code, CurrentLimit, DescriptorStatus, RateLimitRequest, RateLimitResponse};

const METHOD: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// Answers calls until the sender of `ended` is gone, and then those under way.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, mut ended: watch::Receiver<()>) {
    let end = async move {
        let _ = ended.changed().await;
    };
    let incoming = TcpListenerStream::new(listener);
    let server = Server::builder().add_service(RateLimitService(gate));
    if let Err(reason) = server.serve_with_incoming_shutdown(incoming, end).await {
        error!("no calls are taken any more: {reason}");
    }
}

#[derive(Clone)]
struct RateLimitService(Arc<Gate>);

impl NamedService for RateLimitService {
    const NAME: &'static str = "envoy.service.ratelimit.v3.RateLimitService";
}

impl Service<http::Request<Body>> for RateLimitService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = ShouldRateLimit(self.0.clone());
        Box::pin(async move {
            if request.uri().path() != METHOD {
                return Ok(Status::unimplemented("only ShouldRateLimit is here").into_http());
            }
            Ok(Grpc::new(ProstCodec::default()).unary(method, request).await)
        })
    }
}

struct ShouldRateLimit(Arc<Gate>);

impl UnaryService<RateLimitRequest> for ShouldRateLimit {
    type Response = RateLimitResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<RateLimitResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<RateLimitRequest>) -> Self::Future {
        let gate = self.0.clone();
        Box::pin(async move { answer(&gate, &request.into_inner()).await.map(Response::new) })
    }
}

/// As Limitador does: the entries of all descriptors are one set of values, a call without a domain is not judged,
/// and no hits are one.
async fn answer(gate: &Gate, request: &RateLimitRequest) -> Result<RateLimitResponse, Status> {
    if request.domain.is_empty() {
        return Ok(RateLimitResponse { overall_code: Code::Unknown.into(), statuses: Vec::new() });
    }
    let entries = request.descriptors.iter().flat_map(|descriptor| &descriptor.entries);
    let values: HashMap<String, String> = entries.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    match gate.decide(&request.domain, &values, request.hits_addend.max(1)).await {
        Ok(decision) => Ok(response(&decision)),
        Err(Undecided::Storage(reason)) => {
            warn!("Redis: {reason}");
            Err(Status::unavailable("Service unavailable"))
        }
        Err(Undecided::Late) => {
            warn!("Redis has not answered in time");
            Err(Status::unavailable("Service unavailable"))
        }
    }
}

fn response(decision: &Decision) -> RateLimitResponse {
    let code = if decision.admitted { Code::Ok } else { Code::OverLimit };
    // One descriptor a call: the status is that of the limit with the least left.
    let tightest = decision.limits.iter().min_by_key(|limit| limit.remaining);
    let statuses = tightest.map(|limit| DescriptorStatus {
        code: code.into(),
        current_limit: Some(CurrentLimit { requests_per_unit: clamped(limit.most) }),
        limit_remaining: clamped(limit.remaining),
    });
    RateLimitResponse { overall_code: code.into(), statuses: statuses.into_iter().collect() }
}

fn clamped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
