//! What our parser makes of a form: reads it from standard input, with the boundary as the one
//! argument, and prints its parts as JSON. `foreign.py` compares them with what others expect.

use std::io::{Read, stdin};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filestore_fuzz::{form, frames};
use filestore_http::protocol::multipart::Boundary;
// What is built for fuzzing calls into the fuzzer.
use libfuzzer_sys as _;
use serde_json::{Value, json};

fn main() {
    let boundary = std::env::args().nth(1).expect("the boundary");
    let boundary = Boundary::new(boundary.as_bytes()).expect("a boundary that is allowed");
    let mut body = Vec::new();
    stdin().read_to_end(&mut body).expect("the body");
    let read = form::read(&boundary, frames::uneven(&body));
    let part = |(head, content): &(_, Vec<u8>)| -> Value {
        let filestore_http::protocol::multipart::PartHead { name, filename, content_type } = head;
        json!([name, filename, content_type, STANDARD.encode(content)])
    };
    let parts: Vec<Value> = read.parts.iter().map(part).collect();
    let error = read.end.err().map(|kind| format!("{kind:?}"));
    println!("{}", json!({ "parts": parts, "error": error }));
}
