//! Dates written as `yyyy-MM-ddTHH:mm:ssZ`, in UTC (RFC 3339).

use filestore::Timestamp;

const DAY: u64 = 24 * 3600;

/// The moment's second. Years beyond 9999 are of no use to anybody and come out longer.
pub(super) fn format(moment: Timestamp) -> String {
    let seconds = moment.as_millis() / 1000;
    let (year, month, day) = civil(seconds / DAY);
    let time = seconds % DAY;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `None` for anything [`format`] does not write, including days that no calendar has.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let days = days(year, month, day)?;
    let seconds = days * DAY + hour * 3600 + minute * 60 + second;
    let moment = Timestamp::from_millis(seconds * 1000);
    (format(moment) == text).then_some(moment)
}

/// Three numbers of at most four digits.
fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.splitn(3, separator).map(|part| part.parse::<u16>().ok().map(u64::from));
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// Year, month and day of a number of days since 1970. Years are counted from March, so that the
/// leap day is the last one, and in eras of 400 years, which have 146,097 days each.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// The opposite of [`civil`], from 1970 on.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let year_of_era = year % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (year / 400 * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn known_dates() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_790_000_000_999, "2026-09-21T14:13:20Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format(Timestamp::from_millis(millis)), text);
            let parsed = parse(text).unwrap().as_millis();
            assert_eq!(parsed, millis / 1000 * 1000);
        }
    }

    #[test]
    fn every_day_agrees_with_another_implementation() {
        for day in 0..60_000 {
            let seconds = day * DAY + 12_345;
            let ours = format(Timestamp::from_millis(seconds * 1000));
            let theirs = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(ours[8..10], theirs[5..7]);
            assert_eq!(ours[..4], theirs[12..16]);
            assert_eq!(parse(&ours).unwrap().as_millis(), seconds * 1000);
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "Z",
            "2026-09-21",
            "2026-09-21T14:13:20",
            "2026-09-21T14:13:20z",
            "2026-09-21t14:13:20Z",
            "2026-09-21 14:13:20Z",
            "2026-9-21T14:13:20Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:+1Z",
            "+026-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-09-21T14:13:20.0Z",
            "99999999999999999999-01-01T00:00:00Z",
            "２０２６-09-21T14:13:20Z",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
