//! A network between a repository and its server, that breaks when it is told to.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// What commits changes. Reads end otherwise.
const COMMIT: &[u8] = b"SET LOCAL statement_timeout = 0; COMMIT\0";

/// What becomes of the next commit of a change.
pub(crate) enum Cut {
    /// It does not get to the server, nor does what is sent with it.
    Before,
    /// All gets there but the commit itself.
    Within,
    /// It gets there, and the answer does not get back.
    After,
    /// The sender loses the connection at once, and the server gets it when it is let go. It then
    /// says how the server answered.
    Late(oneshot::Receiver<()>, mpsc::UnboundedSender<Vec<u8>>),
}

pub(crate) struct Proxy {
    folder: TempDir,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    next: Mutex<Option<Cut>>,
    said: Mutex<Said>,
}

/// What was said to the server.
#[derive(Default)]
struct Said {
    /// Statements: their name, where they were given one, and text.
    statements: Vec<(String, String)>,
    /// How many of them there were when counting began.
    before: usize,
    /// How many there must be before an answer gets back.
    held_until: usize,
}

impl Proxy {
    pub(crate) fn new(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let state = Arc::<State>::default();
        let (server, own) = (server.to_owned(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&own)));
            }
        });
        Self { folder, state }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("host={} user=filestore dbname={database}", self.folder.path().display())
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.state.next.lock().unwrap() = Some(cut);
    }

    /// Whether a commit has come to be cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.state.next.lock().unwrap().is_none()
    }
}

impl Proxy {
    /// From now on statements are counted, and no answer gets back before there are so many.
    pub(crate) fn hold_answers(&self, statements: usize) {
        let mut said = self.state.said.lock().unwrap();
        said.before = said.statements.len();
        said.held_until = said.before + statements;
    }

    /// Transactions that were begun since then: those that read, and those that change something.
    pub(crate) fn transactions(&self) -> (usize, usize) {
        let said = self.state.said.lock().unwrap();
        let said = said.statements[said.before..].iter();
        let begun = said.filter(|(_, text)| text.starts_with("BEGIN"));
        let (changes, reads): (Vec<_>, Vec<_>) =
            begun.partition(|(_, text)| text.contains("READ WRITE"));
        (reads.len(), changes.len())
    }

    /// Statements since then.
    pub(crate) fn statements(&self) -> usize {
        let said = self.state.said.lock().unwrap();
        said.statements.len() - said.before
    }

    /// The names and texts of all statements.
    pub(crate) fn said(&self) -> Vec<(String, String)> {
        self.state.said.lock().unwrap().statements.clone()
    }
}

impl Said {
    /// Takes statements out of what a client has sent. The first message has no kind and is long
    /// past when there are any.
    fn listen(&mut self, heard: &mut Vec<u8>) {
        while let Some(length) = heard.get(1..5) {
            let end = 1 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if heard.len() < end {
                break;
            }
            let message: Vec<_> = heard.drain(..end).collect();
            let mut texts = message[5..].split(|byte| *byte == 0);
            let mut text =
                || String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned();
            match message[0] {
                b'Q' => self.statements.push((String::new(), text())),
                b'P' => self.statements.push((text(), text())),
                _ => {}
            }
        }
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, state: Arc<State>) {
    let (mut asked, mut answered) = ([0; 1 << 16], [0; 1 << 16]);
    // The question for TLS, which the server denies, and the first message: their kind is not said.
    let mut first = client.read(&mut asked).await.unwrap_or(0);
    if first == 8 {
        server.write_all(&asked[..first]).await.unwrap();
        let denied = server.read_u8().await.unwrap();
        client.write_u8(denied).await.unwrap();
        first = client.read(&mut asked).await.unwrap_or(0);
    }
    server.write_all(&asked[..first]).await.unwrap();
    let (mut heard, mut kept, mut held) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(1..) = read else { return };
                let bytes = &asked[..read.unwrap()];
                heard.extend_from_slice(bytes);
                state.said.lock().unwrap().listen(&mut heard);
                kept.extend_from_slice(bytes);
                let commit = find(&kept, COMMIT);
                let cut = commit.and_then(|at| Some((at, state.next.lock().unwrap().take()?)));
                if let Some((at, cut)) = cut {
                    return break_off(cut, &kept, at, client, server).await;
                }
                // What is late is late as a whole.
                let is_late = matches!(*state.next.lock().unwrap(), Some(Cut::Late(..)));
                if !is_late && server.write_all(&std::mem::take(&mut kept)).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                held.extend_from_slice(&answered[..read]);
            }
        }
        let is_held = {
            let said = state.said.lock().unwrap();
            said.statements.len() < said.held_until
        };
        if !is_held && client.write_all(&std::mem::take(&mut held)).await.is_err() {
            return;
        }
    }
}

/// `at` is where the text of the commit is, behind its kind and length.
async fn break_off(cut: Cut, bytes: &[u8], at: usize, client: UnixStream, mut server: UnixStream) {
    match cut {
        Cut::Before => {}
        Cut::Within => {
            server.write_all(&bytes[..at - 5]).await.unwrap();
        }
        Cut::After => {
            server.write_all(bytes).await.unwrap();
            answer(&mut server, b"COMMIT\0").await;
        }
        Cut::Late(let_go, answers) => {
            drop(client);
            let_go.await.unwrap();
            server.write_all(bytes).await.unwrap();
            answers.send(answer(&mut server, b"attempt_pkey\0").await).unwrap();
        }
    }
}

/// What the server answers, up to an answer that has this in it.
async fn answer(server: &mut UnixStream, last: &[u8]) -> Vec<u8> {
    let mut answered = Vec::new();
    while find(&answered, last).is_none() {
        if server.read_buf(&mut answered).await.unwrap_or(0) == 0 {
            break;
        }
    }
    answered
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
