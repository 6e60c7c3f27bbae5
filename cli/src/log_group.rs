//! Reads the lines of a log group that match a pattern, in whichever of its streams they stand.

use std::ops::Range;

use iwomp_aws::error::{AwsError, Effect, explain};
use jiff::Timestamp;

use crate::pipeline::Pipeline;

/// Of at most 10,000 lines each: more than anybody reads, and the end of a log that never ends.
const MAX_PAGES: usize = 50;

/// What was read of a log.
pub struct Read {
    /// Oldest first.
    pub lines: Vec<(Timestamp, String)>,
    /// There are more, newer than these.
    pub is_cut: bool,
}

/// The lines since then with their times. The pattern spares CloudWatch from sending the others; that it keeps to
/// it is not counted on.
///
/// # Errors
/// If CloudWatch fails. A group that is not there has no lines: whoever writes there has not written yet.
pub async fn lines(pipeline: &Pipeline, group: &str, since: Timestamp, pattern: &str) -> Result<Read, AwsError> {
    between(pipeline, group, since..Timestamp::MAX, pattern).await
}

/// The same, of a time that may be over.
///
/// # Errors
/// If CloudWatch fails.
pub async fn between(
    pipeline: &Pipeline,
    group: &str,
    time: Range<Timestamp>,
    pattern: &str,
) -> Result<Read, AwsError> {
    let end = (time.end < Timestamp::MAX).then(|| time.end.as_millisecond());
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let call = pipeline.logs.filter_log_events().log_group_name(group).start_time(time.start.as_millisecond());
        let call = call.set_end_time(end);
        let page = match call.filter_pattern(pattern).set_next_token(token.take()).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                break;
            }
            page => page.map_err(|error| explain(&format!("reading the log {group}"), Effect::None, error))?,
        };
        for event in page.events.unwrap_or_default() {
            let at = event.timestamp.and_then(|time| Timestamp::from_millisecond(time).ok());
            found.extend(at.zip(event.message));
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(Read { lines: found, is_cut: token.is_some() })
}
