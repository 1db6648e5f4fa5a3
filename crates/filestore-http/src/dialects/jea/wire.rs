//! Upload Info, and the handle in it.

use filestore::FileId;
use serde::Serialize;

/// "Upload Info" of the page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadInfo {
    pub(super) ok: bool,
    pub(super) status: &'static str,
    pub(super) file_handle: String,
    pub(super) callback: String,
}

/// The shape of every other answer.
#[derive(Debug, Serialize)]
pub(super) struct Status<'s> {
    pub(super) ok: bool,
    pub(super) status: &'s str,
}

/// 32 lower-case hex digits.
pub(super) fn handle(id: FileId) -> String {
    hex::encode(id.as_bytes())
}

/// The id behind a handle; `None` for what is none.
pub(super) fn parse_handle(text: &str) -> Option<FileId> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(FileId::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_back_and_nothing_else_is() {
        let text = "d07b790c956e0fa5036b420edce2f5f0";
        assert_eq!(handle(parse_handle(text).unwrap()), text);
        for wrong in ["", "d0", "D07B790C956E0FA5036B420EDCE2F5F0", &text.replace('f', "g")] {
            assert_eq!(parse_handle(wrong), None, "{wrong}");
        }
    }
}
