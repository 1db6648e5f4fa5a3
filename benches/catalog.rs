//! Many small files with everything that a store can be asked for.

use std::ops::Range;

use filestore::{Attributes, Extent, FileId, Files, Term, Timestamp};
use futures::{StreamExt, stream};

/// Calls that fill a store at a time; they share commits.
const CALLERS: usize = 256;

/// Most files of a store, if the variable `FILESTORE_BENCH_FILES` says so.
pub fn at_most() -> Option<u64> {
    std::env::var("FILESTORE_BENCH_FILES").ok()?.parse().ok()
}

/// Makes the files of these numbers, with this content or none, and answers their ids in any order.
pub async fn fill(
    files: &Files,
    numbers: Range<u64>,
    content: Option<&'static str>,
) -> Vec<FileId> {
    let make = async |number| match content {
        Some(content) => files.create(file(number), content).await.unwrap().id,
        None => files.reserve(file(number)).await.unwrap().id,
    };
    stream::iter(numbers).map(make).buffer_unordered(CALLERS).collect().await
}

/// What is said of the file of this number.
pub fn file(number: u64) -> Attributes {
    let mut attributes = Attributes::named(format!("report {number}.pdf"));
    attributes.external_id = Some(format!("x-{number}"));
    attributes.directory = Some(format!("/plant {}/unit {}", number % 100, number % 1000));
    attributes.source = Some(format!("source {}", number % 50));
    attributes.content_type = Some("application/pdf".into());
    attributes.metadata.insert("batch".into(), (number % 2000).to_string());
    attributes.metadata.insert("kind".into(), format!("kind {}", number % 10));
    attributes.labels.push(format!("label {}", number % 20));
    attributes.terms.insert("cdf.assetIds".into(), vec![Term::Int((number % 500).cast_signed())]);
    attributes.source_created = Some(Timestamp::from_millis(number * 1000));
    let (x, y) = ((number % 360) as f64, (number / 360 % 180) as f64);
    attributes.extent = Some(Extent { min_x: x, max_x: x + 0.1, min_y: y, max_y: y + 0.1 });
    attributes
}
