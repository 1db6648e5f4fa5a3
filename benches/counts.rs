//! Instructions, counted by Callgrind: the same on a busy machine as on an idle one. What has no
//! input but memory is measured here.

#![allow(clippy::unwrap_used)]
#![allow(missing_docs, reason = "the macros make public items")]

use bytes::Bytes;
use filestore_benches::access::{Guard, Signed, Signing};
use filestore_benches::content::noise;
use filestore_benches::forms;
use filestore_benches::routing::{self, Asked};
use gungraun::{library_benchmark, library_benchmark_group, main};

// What was set up is handed back, so that giving it up is not counted.

#[library_benchmark]
#[bench::file_of_4_kib(forms::form(&noise(4 << 10)))]
#[bench::file_of_1_mib(forms::form(&noise(1 << 20)))]
#[bench::near_delimiters_of_1_mib(forms::form(&forms::nearly_delimiters((1 << 20) / 14)))]
fn parse(form: Bytes) -> (usize, Bytes) {
    (forms::parse(&form), form)
}

#[library_benchmark(setup = asked)]
#[bench::jea_upload("jea/upload")]
#[bench::jea_download("jea/download")]
#[bench::cdf_list("cdf/list")]
#[bench::cdf_part("cdf/part")]
#[bench::molgenis_upload("molgenis/upload")]
#[bench::molgenis_download("molgenis/download")]
#[bench::jmix_upload("jmix/upload")]
#[bench::jmix_download("jmix/download")]
#[bench::idempiere_begin("idempiere/begin")]
#[bench::idempiere_chunk("idempiere/chunk")]
fn route(asked: Asked) -> Asked {
    asked.route();
    asked
}

fn asked(name: &str) -> Asked {
    routing::requests().into_iter().find(|asked| asked.name == name).unwrap()
}

#[library_benchmark]
#[bench::hs256_first(Guard::new(Signing::Hs256))]
#[bench::hs256_known(known(Signing::Hs256))]
#[bench::rs256_first(Guard::new(Signing::Rs256))]
#[bench::rs256_known(known(Signing::Rs256))]
fn token(guard: Guard) -> Guard {
    guard.check();
    guard
}

/// One that has seen its token.
fn known(signing: Signing) -> Guard {
    let guard = Guard::new(signing);
    guard.check();
    guard
}

#[library_benchmark]
#[bench::url(Signed::new())]
fn sign(signed: Signed) -> (String, Signed) {
    (signed.sign(), signed)
}

#[library_benchmark]
#[bench::url(Signed::new())]
fn check(signed: Signed) -> Signed {
    signed.check();
    signed
}

library_benchmark_group!(name = multipart, benchmarks = [parse]);
library_benchmark_group!(name = requests, benchmarks = [route, token]);

library_benchmark_group!(name = presigned, benchmarks = [sign, check]);

main!(library_benchmark_groups = multipart, requests, presigned);
