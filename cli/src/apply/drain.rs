//! The end of a gateway: load balancers are told, then nobody is let in, then running calls have their time.
//!
//! Three steps, because the world is slow to notice: a health check asks every few seconds, and until
//! then calls come and must be served. Envoy knows how to do each; when to go on is decided here, since
//! its own drain takes its whole time even when nothing runs.

use std::time::{Duration, Instant};

use super::admin::Admin;
use super::options::Drain;
use super::record::Record;
use crate::failure::Failure;

const PAUSE: Duration = Duration::from_millis(50);

/// Calls, and what of their answers has not been handed to the kernel.
const BUSY: &str = "^http\\.clients\\.(downstream_rq_active|downstream_cx_tx_bytes_buffered)$";

/// `nr drain`.
pub(crate) fn run(options: &Drain) -> Result<(), Failure> {
    let record = Record::read(&options.run_dir)?;
    let admin = Admin(options.admin.clone().unwrap_or_else(|| record.admin.clone()));
    let left = drain(&admin, &record, true, || false)?;
    admin.post("/quitquitquit")?;
    if left > 0 {
        eprintln!("warning: {left} calls had not ended after {} s and were cut", record.drain_s);
    }
    Ok(())
}

/// Returns when nothing runs any more, the limit is reached, or `hurried` says so; with the number of
/// calls still running. `announced`: load balancers have the record's time to notice.
pub(crate) fn drain(admin: &Admin, record: &Record, announced: bool, mut hurried: impl FnMut() -> bool) -> Result<u64, Failure> {
    let began = Instant::now();
    let limit = began + Duration::from_secs(record.drain_s.into());
    let notice = if announced { Duration::from_secs(record.notice_s.into()) } else { Duration::ZERO };
    admin.post("/healthcheck/fail")?;
    while began.elapsed() < notice {
        if hurried() {
            return running(admin);
        }
        std::thread::sleep(PAUSE);
    }
    admin.post("/drain_listeners")?;
    loop {
        let running = running(admin)?;
        if running == 0 || Instant::now() > limit || hurried() {
            return Ok(running);
        }
        std::thread::sleep(PAUSE);
    }
}

fn running(admin: &Admin) -> Result<u64, Failure> {
    Ok(admin.stats(BUSY)?.iter().filter_map(|(_, value)| value.parse::<u64>().ok()).max().unwrap_or(0))
}
