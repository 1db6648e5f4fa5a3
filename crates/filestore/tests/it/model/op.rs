//! What can be asked of the store. Things are named by small numbers that [`Names`] resolves when
//! their turn comes, so that a sequence stays one when steps are taken out of it.
//!
//! [`Names`]: super::names::Names

use std::time::Duration;

use filestore::{Attributes, Cond, Error, RangeSpec, Result};

use super::content::Sent;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) tenant: usize,
    pub(crate) subject: usize,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [
        Self { tenant: 0, subject: 0 },
        Self { tenant: 0, subject: 1 },
        Self { tenant: 1, subject: 0 },
        Self { tenant: 1, subject: 1 },
    ];
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) who: Who,
    /// Whether `who` asks even for what is another's; else whoever made it does.
    pub(crate) is_strange: bool,
    pub(crate) op: Op,
}

/// One of those that were made, from the newest on.
pub(crate) type Pick = u8;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create {
        id: Option<Pick>,
        attributes: Said,
        content: Sent,
    },
    Reserve {
        id: Option<Pick>,
        attributes: Said,
    },
    Copy {
        from: Key,
        id: Option<Pick>,
        attributes: Said,
    },
    Write {
        key: Key,
        content: Sent,
    },
    Open {
        key: Key,
        range: Option<RangeSpec>,
    },
    /// Opens a file, and reads it at a later step.
    Hold {
        key: Key,
    },
    ReadHeld {
        held: Pick,
    },
    Stat {
        keys: Vec<Key>,
    },
    Update {
        keys: Vec<Key>,
        edit: Edit,
    },
    UpdateAt {
        key: Key,
        revision: u64,
        edit: Edit,
    },
    Delete {
        keys: Vec<Key>,
    },
    List {
        all: Vec<Cond>,
        limit: u32,
    },
    Count {
        all: Vec<Cond>,
    },
    Search {
        text: &'static str,
        all: Vec<Cond>,
        limit: usize,
    },
    Begin(Begin),
    PutPart {
        upload: Pick,
        number: u32,
        total: Option<u32>,
        content: PartContent,
    },
    Status {
        upload: Pick,
    },
    Parts {
        upload: Pick,
    },
    Uploads {
        after: Option<Pick>,
        limit: u32,
    },
    /// Where it is cut off, the session is sealed, and nobody is told.
    Complete {
        upload: Pick,
        is_cut_off: bool,
    },
    Abort {
        upload: Pick,
    },
    WriteRecords(Vec<WriteRecord>),
    LoadRecord {
        kind: &'static str,
        key: &'static str,
    },
    Records {
        kind: &'static str,
        after: Option<&'static str>,
        limit: u32,
    },
    NextNumber {
        counter: &'static str,
    },
    Sweep,
    Check,
    Advance(Duration),
    Restart,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    Id(Pick),
    Number(Pick),
    External(&'static str),
}

/// What is said of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) name: &'static str,
    pub(crate) external: Option<&'static str>,
    pub(crate) label: Option<&'static str>,
    pub(crate) has_pair: bool,
}

impl Said {
    pub(crate) fn attributes(&self) -> Attributes {
        let pair = self.has_pair.then(|| ("k".to_owned(), "v".to_owned()));
        Attributes {
            external_id: self.external.map(str::to_owned),
            labels: self.label.iter().map(|label| (*label).to_owned()).collect(),
            metadata: pair.into_iter().collect(),
            ..Attributes::named(self.name)
        }
    }
}

/// A change of attributes.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Name(&'static str),
    External(Option<&'static str>),
    Label(&'static str),
    Refuse,
}

impl Edit {
    pub(crate) fn apply(&self, attributes: &mut Attributes) -> Result<()> {
        match self {
            Self::Name(name) => attributes.name = (*name).to_owned(),
            Self::External(text) => attributes.external_id = text.map(str::to_owned),
            Self::Label(label) => attributes.labels.push((*label).to_owned()),
            Self::Refuse => return Err(Error::conflict("the caller does not like it")),
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Begin {
    pub(crate) attributes: Said,
    pub(crate) declared: Whole,
    pub(crate) total: Option<u32>,
    pub(crate) lifetime: Duration,
    pub(crate) target: Option<Key>,
}

/// What is declared of the whole: something of so many planned parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whole {
    Nothing,
    Size(u32),
    Digest(u32),
    Both(u32),
    TooMuch,
}

#[derive(Clone, Debug)]
pub(crate) enum PartContent {
    /// What the plan has for this number; see [`content::planned`](super::content::planned).
    Planned,
    Other(Sent),
}

/// What a record must be like, and what it becomes.
#[derive(Clone, Debug)]
pub(crate) struct WriteRecord {
    pub(crate) kind: &'static str,
    pub(crate) key: &'static str,
    pub(crate) expected: filestore::Expected,
    pub(crate) body: Option<&'static str>,
}
