//! What is printed at start: where it is, what it takes, and lines to paste.

use std::fmt::Write;
use std::net::SocketAddr;

use super::config::Config;

/// The text.
pub(crate) fn of(config: &Config, address: SocketAddr) -> String {
    let mut text = format!("filestore listens on http://{address}\n\n");
    // Writing to a string does not fail.
    let durability = format!("{:?}", config.durability).to_lowercase();
    let _ = writeln!(text, "  metadata  {} (durability {durability})", config.metadata);
    let _ = writeln!(text, "  blobs     {}", config.blobs);
    let url = config.origins.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    for dialect in &config.dialects {
        let _ = writeln!(text, "  dialect   {dialect:<9} {url}{}", mount(dialect));
    }
    text.push_str(&limits(config));
    text.push_str("\nTry it:\n\n");
    if std::env::var_os("FILESTORE_JWT_SECRET").is_some() {
        text.push_str("  # where FILESTORE_JWT_SECRET is set as it is for the server\n");
    }
    let _ = writeln!(text, "  TOKEN=$({})", token_command(config));
    for dialect in &config.dialects {
        let _ = writeln!(text, "  {}", upload(dialect, &url));
    }
    text.push('\n');
    text
}

fn mount(dialect: &str) -> &'static str {
    use filestore_http::dialects::{Cdf, Idempiere, Jea, Jmix, Molgenis};
    match dialect {
        "jea" => Jea::MOUNT,
        "cdf" => Cdf::FILES,
        "molgenis" => Molgenis::MOUNT,
        "idempiere" => Idempiere::UPLOADS,
        _ => Jmix::MOUNT,
    }
}

fn limits(config: &Config) -> String {
    let (limits, serving) = (&config.limits, &config.serving);
    format!(
        "  limits    file {}, session {} in {} parts, JSON {}, {} connections\n",
        bytes(limits.max_file),
        bytes(limits.max_session),
        limits.max_segments,
        bytes(filestore_http::protocol::JSON_LIMIT as u64),
        serving.max_connections,
    )
}

fn bytes(count: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| count >= *size && count.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{} {unit}", count / size),
        None => format!("{count} B"),
    }
}

/// How this very program prints a token for the same secret.
fn token_command(config: &Config) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "server".into());
    let mut command = format!("{} token --subject me", quoted(&program.display().to_string()));
    match &config.tokens.secret_file {
        Some(file) => {
            let _ = write!(command, " --jwt-secret-file {}", quoted(&absolute(file)));
        }
        None if config.metadata.is_shared() => {}
        None => {
            let _ = write!(command, " --data {}", quoted(&absolute(&config.data)));
        }
    }
    command
}

fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn upload(dialect: &str, url: &str) -> String {
    let at = format!("{url}{}", mount(dialect));
    match dialect {
        "jea" => {
            format!("curl -H \"Authorization: Bearer $TOKEN\" -F file=@Cargo.toml {at}/upload")
        }
        "cdf" => format!(
            "URL=$(curl -s -H \"Authorization: Bearer $TOKEN\" {at} -d '{{\"name\":\"Cargo.toml\"}}' \
             | sed 's/.*\"uploadUrl\":\"//; s/\".*//'); curl -T Cargo.toml \"$URL\""
        ),
        "molgenis" => format!(
            "curl -H \"x-molgenis-token: $TOKEN\" -H 'x-molgenis-filename: Cargo.toml' \
             -H 'Content-Type: text/plain' --data-binary @Cargo.toml {at}"
        ),
        "idempiere" => format!(
            "URL=$(curl -s -H \"Authorization: Bearer $TOKEN\" {at} -d '{{\"fileName\":\"Cargo.toml\",\
             \"sha256\":\"'$(sha256sum Cargo.toml | cut -d' ' -f1)'\"}}' | sed 's/.*\"presignedURL\":\"//; \
             s/\".*//; s/{{chunkOrder}}/1/'); curl -X PUT -H 'X-Total-Chunks: 1' \
             -H 'Content-Type: application/octet-stream' --data-binary @Cargo.toml \"{url}/api/$URL\""
        ),
        _ => format!(
            "curl -H \"Authorization: Bearer $TOKEN\" -F file=@Cargo.toml '{at}/files?name=demo.txt'"
        ),
    }
}
