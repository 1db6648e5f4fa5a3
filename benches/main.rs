//! Every bench, in one binary.
//!
//! A bench stops at the first thing that goes wrong: there is nothing to measure then.
#![allow(clippy::unwrap_used)]

mod download;
mod growth;
mod http;
mod list;
mod machine;
mod multipart;
mod pipeline;
mod route;
mod session;
mod upload;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    machine::report();
    // Short measurements, so that all of them together end within minutes.
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    upload::bench(&mut criterion);
    pipeline::bench(&mut criterion);
    download::bench(&mut criterion);
    session::bench(&mut criterion);
    multipart::bench(&mut criterion);
    route::bench(&mut criterion);
    http::bench(&mut criterion);
    list::bench(&mut criterion);
    growth::bench(&mut criterion);
    machine::report();
    criterion.final_summary();
}
