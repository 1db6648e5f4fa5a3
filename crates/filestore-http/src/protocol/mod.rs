//! What HTTP itself says and no dialect does.
mod json;
pub use json::{JSON_LIMIT, json, json_as, read_json};
