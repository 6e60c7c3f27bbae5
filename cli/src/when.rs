//! Times: exact for programs, relative for people.

use jiff::Timestamp;

/// When something of AWS's happened.
#[must_use]
pub fn of_aws(time: &aws_sdk_codebuild::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// How long ago, for people: `3 min ago`.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", lasted(now.as_second() - then.as_second()))
}

/// How long, in the largest unit that it fills: `3 min`.
#[must_use]
pub fn lasted(seconds: i64) -> String {
    let seconds = seconds.max(0);
    for (size, unit) in [(86_400, "d"), (3600, "h"), (60, "min")] {
        if seconds >= size {
            return format!("{} {unit}", seconds / size);
        }
    }
    format!("{seconds} s")
}

/// The same with the next smaller unit, for lengths that are compared: `1 h 40 min`.
#[must_use]
pub fn lasted_finely(seconds: i64) -> String {
    let rest = match seconds {
        86_400.. => seconds % 86_400 / 3600 * 3600,
        3600.. => seconds % 3600 / 60 * 60,
        60.. => seconds % 60,
        _ => 0,
    };
    if rest == 0 { lasted(seconds) } else { format!("{} {}", lasted(seconds), lasted(rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let words = [-5, 0, 59, 60, 7199, 86_399, 86_400, 864_000].map(lasted);
        assert_eq!(words, ["0 s", "0 s", "59 s", "1 min", "1 h", "23 h", "1 d", "10 d"]);
    }

    #[test]
    fn a_length_that_is_compared_has_two_units_at_most() {
        let words = [-1, 59, 60, 61, 3600, 6000, 86_400, 100_000, 86_460].map(lasted_finely);
        assert_eq!(words, ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 40 min", "1 d", "1 d 3 h", "1 d"]);
    }
}
