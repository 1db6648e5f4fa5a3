//! Moments as text (RFC 3339), and the day of one.

use filestore::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-11-22T08:30:00.123Z`; whole seconds have no fraction. Always UTC.
pub fn rfc3339(moment: Timestamp) -> String {
    // What has no such text is past the year 9999.
    utc(moment).format(&Rfc3339).unwrap_or_else(|_| "9999-12-31T23:59:59Z".to_owned())
}

/// The moment's second, as [`rfc3339`] writes it.
pub fn second(moment: Timestamp) -> String {
    rfc3339(Timestamp::from_millis(moment.as_millis() / 1000 * 1000))
}

/// Reads what [`second`] writes, and nothing else.
pub fn parse_second(text: &str) -> Option<Timestamp> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = u64::try_from(moment.unix_timestamp()).ok()?.checked_mul(1000)?;
    let moment = Timestamp::from_millis(millis);
    (second(moment) == text).then_some(moment)
}

/// Year, month and day in UTC.
pub fn day(moment: Timestamp) -> (i32, u8, u8) {
    let day = utc(moment);
    (day.year(), day.month().into(), day.day())
}

fn utc(moment: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(moment.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .unwrap_or_else(|_| time::PrimitiveDateTime::MAX.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_790_000_000_999, "2026-09-21T14:13:20Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(second(moment), text);
            assert_eq!(parse_second(text).unwrap().as_millis(), millis / 1000 * 1000);
        }
        assert_eq!(rfc3339(Timestamp::from_millis(1_790_000_000_123)), "2026-09-21T14:13:20.123Z");
        assert_eq!(day(Timestamp::from_millis(951_782_400_000)), (2000, 2, 29));
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        for text in [
            "",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:00.5Z",
            "1970-01-01T01:00:00+01:00",
            "1970-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(parse_second(text), None, "{text}");
        }
        let _ = rfc3339(Timestamp::MAX);
    }
}
