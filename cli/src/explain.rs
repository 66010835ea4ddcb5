//! `nr explain`: what the filter would decide on a request, and why, without Envoy and without asking anybody.
//!
//! The decision is the filter's own code on the same bytes. Offline nothing is known of how the deployments have been
//! doing, so the figures are those of a gateway that has just started.

use neural_router::attempt::Bounds;
use neural_router::authenticate::{Caller, Redacted};
use neural_router::config::Config;
use neural_router::config::policy::dollars;
use neural_router::openai::members::Members;
use neural_router::openai::{Endpoint, Request};
use neural_router::rank::{self, Circumstances, Question};
use neural_router::rejection::Rejection;
use neural_router::vitals::Snapshot;
use neural_router::{annotate, handoff};

use crate::caller::Who;
use crate::columns::{self, Align};
use crate::failure::{Failure, print};
use crate::options::Explain;
use crate::{input, load};

/// Prints the decision on a request, or the refusal.
pub(crate) fn run(options: &Explain) -> Result<(), Failure> {
    let config = load::file(&options.config)?.config;
    let who = Who::of(&config, options.workspace.as_deref(), options.key_id.as_deref())?;
    let body = input::bytes(&options.request, config.max_request_bytes.into())?;
    match explain(&config, &who.caller(), &body, options) {
        Ok(text) => print(&[text.trim_end(), "\n"].concat()),
        Err(rejection) => {
            let body = String::from_utf8_lossy(&rejection.body()).into_owned();
            if options.json {
                print(&[&body, "\n"].concat())?;
            }
            Err(refused(rejection.status, &body))
        }
    }
}

fn explain(config: &Config, caller: &Caller<'_>, body: &[u8], options: &Explain) -> Result<String, Rejection> {
    if body.len() > config.max_request_bytes as usize {
        return Err(Rejection::too_large(config.max_request_bytes));
    }
    let endpoint = endpoint_of(body);
    let request = Request::parse(endpoint, body)?;
    let question = Question::of(config, caller, &request)?;
    let now = Circumstances { vitals: &Snapshot::default(), now_ms: 0, lot: options.lot };
    let plan = rank::answer(config, caller, &question, &now, true)?;
    // As the filter does it: the choice is made on the request as it came, all else on what the content rules leave of it.
    let redacted = caller.inspect(&request)?;
    let left = match &redacted {
        None => request.clone(),
        Some(Redacted { body, .. }) => Request::parse(endpoint, body).map_err(Rejection::spoilt)?,
    };
    let likely_ms: Vec<f64> = plan.candidates.iter().map(|candidate| candidate.likely_at_most_ms).collect();
    let bounds = Bounds::of(&config.routing, &left, &likely_ms);
    let mut handoff = handoff::Plan::of(&plan, &left, &bounds, String::new(), now.now_ms);
    handoff.table = Some(rank::table(&plan.table));
    handoff.adjustments = redacted.as_ref().map_or(Vec::new(), |redacted| redacted.notes.clone());
    Ok(if options.json { routing(&handoff) } else { page(&plan, &question, &handoff) })
}

/// A body with `input` and without `messages` is for the embeddings endpoint; everything else is taken for a chat,
/// as which it may be refused.
fn endpoint_of(body: &[u8]) -> Endpoint {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let has = |members: &Members<'_>, name| members.find(name).is_some();
    match Members::read(text) {
        Ok(members) if has(&members, "input") && !has(&members, "messages") => Endpoint::Embeddings,
        _ => Endpoint::Chat,
    }
}

/// The `routing` object of the filter's answer, to the byte.
fn routing(plan: &handoff::Plan) -> String {
    let body = String::from_utf8(annotate::decided(plan)).unwrap_or_default();
    let members = Members::read(&body).ok();
    members.and_then(|members| members.find("routing").map(|member| member.value.to_owned())).unwrap_or_default()
}

fn refused(status: u16, body: &str) -> Failure {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = |member: &str| body["error"][member].as_str().map(str::to_owned);
    let named = [("code", text("code")), ("param", text("param"))];
    let named: Vec<String> = named.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    Failure::new(format!("the gateway would refuse this with {status}: {}{named}", text("message").unwrap_or_default()))
}

/// What was decided, then every candidate.
fn page(plan: &rank::Plan<'_>, question: &Question<'_>, handoff: &handoff::Plan) -> String {
    let class = plan.class.map_or("none, for vectors".to_owned(), |class| {
        let how = if question.class_given { "given" } else { "inferred" };
        format!("{class}, {how}; difficulty {:.2}", plan.difficulty)
    });
    let mut facts = vec![
        ("objective", plan.objective.name().to_owned()),
        ("task class", class),
        ("prompt", format!("about {} tokens", question.demand.prompt_tokens)),
        ("estimated cost", format!("{} USD", dollars(plan.estimated_cost))),
        ("policy", plan.policy.to_owned()),
        ("reason", plan.reason.clone()),
    ];
    facts.extend(plan.propensity.map(|propensity| ("propensity", format!("{propensity:.6}"))));
    facts.extend(handoff.adjustments.iter().map(|adjustment| ("adjustment", adjustment.clone())));
    let facts: Vec<Vec<String>> = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    format!("{}\n{}", columns::lines(&[], &facts), table(plan))
}

const HEADINGS: [&str; 8] = ["try", "model", "provider", "deployment", "q", "c, USD", "L, ms", "score"];
const ALIGNS: [Align; 8] = [Align::Right, Align::Left, Align::Left, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];

fn table(plan: &rank::Plan<'_>) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    let mut notes = String::new();
    for (row, at) in plan.table.iter().zip(1..) {
        let (provider, deployment) = row.deployment.map_or(("", ""), |(deployment, provider)| (&provider.name, &deployment.model));
        if let Some(why) = &row.excluded {
            let at = if provider.is_empty() { String::new() } else { format!(" at {provider}") };
            notes.push_str(&format!("not asked: {}{at}: {}\n", row.model.id, why.reason()));
        }
        let Some(figures) = &row.figures else { continue };
        rows.push(vec![
            // Those behind the last attempt have no turn.
            if at <= plan.candidates.len() { at.to_string() } else { "-".to_owned() },
            row.model.id.clone(),
            provider.to_owned(),
            deployment.to_owned(),
            format!("{:.4}", figures.quality),
            dollars(figures.cost),
            (figures.latency_ms as u64).to_string(),
            figures.score.map_or("q too low".to_owned(), |score| format!("{score:.6}")),
        ]);
    }
    let table = columns::lines(&ALIGNS, &rows);
    if notes.is_empty() { table } else { format!("{table}\n{notes}") }
}
