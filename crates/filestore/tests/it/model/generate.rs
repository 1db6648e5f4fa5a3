//! Random steps. Names, keys and numbers come from spaces so small that they meet all the time.

use std::time::Duration;

use filestore::{
    Cond, Expected, Limits, NameMatch, RangeSpec, Revision, SetField, Subject, Term, TextField,
    TimeField, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::content::{Declared, How, INLINE, MAX_FILE, Sent};
use super::op::{Begin, Edit, Key, Op, PartContent, Pick, Said, Step, Who, Whole, WriteRecord};
use super::reference::subject;
use crate::store::rig::{HOUR, MINUTE};

const NAMES: [&str; 5] = ["plan", "plan b", "the plan", "explanation", "other"];
const EXTERNAL: [&str; 3] = ["a", "b", "c"];
const LABELS: [&str; 2] = ["red", "blue"];

/// A sequence of steps that begins with something to work on.
pub(crate) fn steps(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let made = (attributes(), sent()).prop_map(|(attributes, content)| Op::Create {
        id: None,
        attributes,
        content,
    });
    let first = step(prop_oneof![made.boxed(), begin().prop_map(Op::Begin).boxed()]);
    let some =
        prop_oneof![12 => step(op()).prop_map(|step| vec![step]).boxed(), 1 => upload().boxed()];
    (vec(first, 0..3), vec(some, len))
        .prop_map(|(first, rest)| first.into_iter().chain(rest.into_iter().flatten()).collect())
}

/// An upload that goes as planned, mostly.
fn upload() -> impl Strategy<Value = Vec<Step>> {
    let orders =
        (0..4u32).prop_flat_map(|parts| Just((1..=parts).collect::<Vec<_>>()).prop_shuffle());
    (begin(), orders, prop::bool::weighted(0.2), select(&Who::ALL[..])).prop_map(
        |(mut begin, numbers, is_cut_off, who)| {
            let parts = numbers.len() as u32;
            begin.declared = match begin.declared {
                Whole::Size(_) => Whole::Size(parts),
                Whole::Digest(_) => Whole::Digest(parts),
                Whole::Both(_) => Whole::Both(parts),
                declared => declared,
            };
            begin.total = begin.total.and((parts > 0).then_some(parts));
            let put = |number| Op::PutPart {
                upload: 0,
                number,
                total: None,
                content: PartContent::Planned,
            };
            let puts = numbers.into_iter().map(put);
            let end = Op::Complete { upload: 0, is_cut_off };
            let ops = std::iter::once(Op::Begin(begin)).chain(puts).chain([end]);
            ops.map(|op| Step { who, is_strange: false, op }).collect()
        },
    )
}

/// Steps, and others to be taken at the same time after them.
pub(crate) fn steps_and_race() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    (steps(0..12), race())
        .prop_map(|(before, (first, at_once))| (before.into_iter().chain(first).collect(), at_once))
}

/// Steps about one file, about one session or about anything, and what they need. None that
/// everything else has to stop for, and none that is more than one look.
fn race() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let file = (attributes(), good()).prop_map(|(attributes, content)| Op::Create {
        id: None,
        attributes,
        content,
    });
    let file = step(file).prop_map(|step| vec![step]);
    let session = (step(begin().prop_map(Op::Begin)), step(resend())).prop_map(|(a, b)| vec![a, b]);
    let anything = prop_oneof![
        8 => changes().prop_map(by_id).boxed(),
        10 => uploads().prop_map(not_cut_off).boxed(),
        3 => looks().boxed(),
        2 => records().boxed(),
        2 => Just(Op::Sweep),
    ];
    let number = 2..=4usize;
    prop_oneof![
        (file, vec(step(about_one_file().prop_map(by_id)), number.clone())).boxed(),
        (session, vec(step(about_one_session()), number.clone())).boxed(),
        (Just(Vec::new()), vec(step(anything), number)).boxed(),
    ]
}

fn about_one_file() -> impl Strategy<Value = Op> {
    let key = || prop_oneof![4 => Just(Key::Id(0)), 1 => key()];
    prop_oneof![
        3 => (key(), edit()).prop_map(|(key, edit)| Op::Update { keys: vec![key], edit }),
        2 => (key(), 1..3u64, edit())
            .prop_map(|(key, revision, edit)| Op::UpdateAt { key, revision, edit }),
        2 => (key(), good()).prop_map(|(key, content)| Op::Write { key, content }),
        2 => (key(), attributes())
            .prop_map(|(from, attributes)| Op::Copy { from, id: None, attributes }),
        1 => key().prop_map(|key| Op::Delete { keys: vec![key] }),
        2 => key().prop_map(|key| Op::Open { key, range: None }),
    ]
}

fn about_one_session() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => resend(),
        2 => Just(Op::Complete { upload: 0, is_cut_off: false }),
        1 => Just(Op::Abort { upload: 0 }),
        1 => Just(Op::Status { upload: 0 }),
        1 => Just(Op::Parts { upload: 0 }),
        1 => Just(Op::Delete { keys: vec![Key::Id(0)] }),
    ]
}

/// One of the first parts, of any content.
fn resend() -> impl Strategy<Value = Op> {
    (1..3u32, option::weighted(0.2, 1..3u32), good()).prop_map(|(number, total, content)| {
        Op::PutPart { upload: 0, number, total, content: PartContent::Other(content) }
    })
}

/// Content that is taken.
fn good() -> impl Strategy<Value = Sent> {
    (select(&[1, 300, INLINE / 2 + 1, INLINE, INLINE + 1, 20_000][..]), 0..100usize)
        .prop_map(|(len, seed)| Sent { len, seed, how: How::Frames, declared: Declared::Truth })
}

/// A call looks up a client's own name at its beginning, and means the file that has it then. One
/// that goes on to change the file is more than one step if the name moves meanwhile. So is a copy
/// that takes a name: it may outlive the file, as long as another shares the content, and find free
/// what that file had.
fn by_id(op: Op) -> Op {
    let id = |key| match key {
        Key::External(_) => Key::Id(1),
        key => key,
    };
    match op {
        Op::Write { key, content } => Op::Write { key: id(key), content },
        Op::UpdateAt { key, revision, edit } => Op::UpdateAt { key: id(key), revision, edit },
        Op::Delete { keys } => Op::Delete { keys: keys.into_iter().map(id).collect() },
        Op::Copy { from, attributes, .. } => {
            Op::Copy { from: id(from), id: None, attributes: Said { external: None, ..attributes } }
        }
        op => op,
    }
}

fn not_cut_off(op: Op) -> Op {
    match op {
        Op::Complete { upload, .. } => Op::Complete { upload, is_cut_off: false },
        op => op,
    }
}

fn step(op: impl Strategy<Value = Op>) -> impl Strategy<Value = Step> {
    let who = prop_oneof![5 => Just(Who::ALL[0]), 3 => select(&Who::ALL[..])];
    (op, who, prop::bool::weighted(0.1)).prop_map(|(op, who, is_strange)| Step {
        who,
        is_strange,
        op,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => changes().boxed(),
        10 => uploads().boxed(),
        4 => looks().boxed(),
        2 => lists().boxed(),
        2 => records().boxed(),
        3 => upkeep().boxed(),
    ]
}

fn changes() -> impl Strategy<Value = Op> {
    let id = || option::weighted(0.15, pick());
    prop_oneof![
        5 => (id(), attributes(), sent())
            .prop_map(|(id, attributes, content)| Op::Create { id, attributes, content }),
        2 => (id(), attributes()).prop_map(|(id, attributes)| Op::Reserve { id, attributes }),
        3 => (key(), id(), attributes())
            .prop_map(|(from, id, attributes)| Op::Copy { from, id, attributes }),
        4 => (key(), sent()).prop_map(|(key, content)| Op::Write { key, content }),
        3 => (keys(), edit()).prop_map(|(keys, edit)| Op::Update { keys, edit }),
        1 => (key(), 1..4u64, edit())
            .prop_map(|(key, revision, edit)| Op::UpdateAt { key, revision, edit }),
        4 => keys().prop_map(|keys| Op::Delete { keys }),
    ]
}

fn uploads() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => begin().prop_map(Op::Begin),
        8 => (pick(), number(), total(), part())
            .prop_map(|(upload, number, total, content)| Op::PutPart { upload, number, total, content }),
        4 => (pick(), prop::bool::weighted(0.2))
            .prop_map(|(upload, is_cut_off)| Op::Complete { upload, is_cut_off }),
        1 => pick().prop_map(|upload| Op::Abort { upload }),
        2 => pick().prop_map(|upload| Op::Status { upload }),
        1 => pick().prop_map(|upload| Op::Parts { upload }),
        1 => (option::of(pick()), 0..5u32).prop_map(|(after, limit)| Op::Uploads { after, limit }),
    ]
}

fn looks() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (key(), option::of(range())).prop_map(|(key, range)| Op::Open { key, range }),
        1 => key().prop_map(|key| Op::Stat { keys: vec![key] }),
        1 => vec(cond(), 0..3).prop_map(|all| Op::Count { all }),
    ]
}

fn lists() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => key().prop_map(|key| Op::Hold { key }),
        2 => pick().prop_map(|held| Op::ReadHeld { held }),
        1 => vec(key(), 0..4).prop_map(|keys| Op::Stat { keys }),
        2 => (vec(cond(), 0..3), 1..4u32).prop_map(|(all, limit)| Op::List { all, limit }),
        1 => (select(&["plan", "PLAN-b", "b", "lanat", "", "none"][..]), vec(cond(), 0..2), 0..4usize)
            .prop_map(|(text, all, limit)| Op::Search { text, all, limit }),
    ]
}

fn records() -> impl Strategy<Value = Op> {
    let kind = || select(&["image", "product"][..]);
    let key = || select(&["1", "10", "2"][..]);
    let body =
        option::weighted(0.7, prop_oneof![8 => Just("{}"), 8 => Just("[1]"), 1 => Just(LONG)]);
    let write = (kind(), prop_oneof![12 => key(), 1 => Just("")], expected(), body)
        .prop_map(|(kind, key, expected, body)| WriteRecord { kind, key, expected, body });
    // No two changes of a batch name the same record: that is the caller's to see to.
    let distinct = |changes: &Vec<WriteRecord>| {
        let named = |n: usize| (changes[n].kind, changes[n].key);
        (1..changes.len()).all(|n| (0..n).all(|m| named(n) != named(m)))
    };
    prop_oneof![
        4 => vec(write, 1..3).prop_filter("distinct", distinct).prop_map(Op::WriteRecords),
        1 => (kind(), key()).prop_map(|(kind, key)| Op::LoadRecord { kind, key }),
        1 => (kind(), option::of(key()), 0..4u32)
            .prop_map(|(kind, after, limit)| Op::Records { kind, after, limit }),
        1 => select(&["x", "y"][..]).prop_map(|counter| Op::NextNumber { counter }),
    ]
}

/// Longer than what is said of a file may be.
const LONG_NAME: &str = match std::str::from_utf8(&[b'n'; 201]) {
    Ok(name) => name,
    Err(_) => "",
};

/// Longer than a record may be.
const LONG: &str = "\"0123456789012345678901234567890123456789\"";

fn upkeep() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Sweep),
        1 => Just(Op::Check),
        1 => Just(Op::Restart),
        4 => select(vec![Duration::from_millis(1), MINUTE, HOUR, HOUR * 2, HOUR * 6])
            .prop_map(Op::Advance),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![6 => 0..2u8, 3 => 0..10u8]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        6 => pick().prop_map(Key::Id),
        2 => pick().prop_map(Key::Number),
        2 => select(&EXTERNAL[..]).prop_map(Key::External),
    ]
}

/// One or some, perhaps none or one of them again.
fn keys() -> impl Strategy<Value = Vec<Key>> {
    let neighbours = (0..3u8).prop_map(|pick| vec![Key::Id(pick), Key::Id(pick + 1)]);
    prop_oneof![3 => vec(key(), 1), 1 => vec(key(), 0..4), 1 => neighbours]
}

fn attributes() -> impl Strategy<Value = Said> {
    let good = (
        select(&NAMES[..]),
        option::weighted(0.3, select(&EXTERNAL[..])),
        option::of(select(&LABELS[..])),
        any::<bool>(),
    );
    let good =
        good.prop_map(|(name, external, label, has_pair)| Said { name, external, label, has_pair });
    let plain = Said { name: "plan", external: None, label: None, has_pair: false };
    let bad = select(vec![
        Said { external: Some(""), ..plain },
        Said { name: "a\0b", ..plain },
        Said { name: LONG_NAME, ..plain },
    ]);
    prop_oneof![30 => good, 1 => bad]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => select(&NAMES[..]).prop_map(Edit::Name),
        4 => option::of(select(&EXTERNAL[..])).prop_map(Edit::External),
        2 => select(&LABELS[..]).prop_map(Edit::Label),
        1 => Just(Edit::Refuse),
        1 => Just(Edit::Name("a\0b")),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let len = select(
        &[
            0,
            1,
            300,
            INLINE / 2,
            INLINE / 2 + 1,
            INLINE,
            INLINE + 1,
            20_000,
            MAX_FILE,
            MAX_FILE + 1,
        ][..],
    );
    let how = prop_oneof![6 => Just(How::Whole), 4 => Just(How::Frames), 1 => Just(How::BrokenOff)];
    let declared = prop_oneof![
        8 => Just(Declared::Nothing),
        4 => Just(Declared::Truth),
        1 => Just(Declared::Fewer),
        1 => Just(Declared::More),
        1 => Just(Declared::OtherDigest),
        1 => Just(Declared::TooMuch),
    ];
    (len, 0..100usize, how, declared).prop_map(|(len, seed, how, declared)| Sent {
        len,
        seed,
        how,
        declared,
    })
}

fn range() -> impl Strategy<Value = RangeSpec> {
    let edge =
        || select(&[0, 1, 299, INLINE as u64, INLINE as u64 + 101, 39_999, 40_000, u64::MAX][..]);
    prop_oneof![
        edge().prop_map(RangeSpec::From),
        (edge(), edge()).prop_map(|(from, to)| RangeSpec::FromTo(from, to)),
        edge().prop_map(RangeSpec::Last),
    ]
}

fn cond() -> impl Strategy<Value = Cond> {
    let soon = Timestamp::from_millis(1_790_000_000_000).after(HOUR);
    prop_oneof![
        select(&NAMES[..]).prop_map(|name| Cond::Is(TextField::Name, name.to_owned())),
        Just(Cond::Prefix(TextField::Name, "plan".to_owned())),
        select(&EXTERNAL[..]).prop_map(|text| Cond::Is(TextField::ExternalId, text.to_owned())),
        Just(Cond::Name(NameMatch::Contains, "plan".to_owned())),
        any::<bool>().prop_map(Cond::HasContent),
        Just(Cond::Metadata("k".to_owned(), "v".to_owned())),
        Just(Cond::AnyOf(SetField::Labels, vec![Term::from("red")])),
        Just(Cond::AllOf(SetField::Labels, vec![Term::from("red"), Term::from("blue")])),
        Just(Cond::Time(TimeField::Updated, Timestamp::default()..=soon)),
        Just(Cond::Time(TimeField::Stored, soon..=Timestamp::MAX)),
        (0..2usize).prop_map(|number| Cond::Owner(owner(number))),
    ]
}

fn owner(number: usize) -> Subject {
    subject(number)
}

fn begin() -> impl Strategy<Value = Begin> {
    let parts = || 0..4u32;
    let declared = prop_oneof![
        6 => Just(Whole::Nothing),
        2 => parts().prop_map(Whole::Size),
        4 => parts().prop_map(Whole::Digest),
        2 => parts().prop_map(Whole::Both),
        1 => Just(Whole::TooMuch),
    ];
    let total = prop_oneof![6 => Just(None), 4 => (1..4u32).prop_map(Some), 1 => select(&[0, 18, 19][..]).prop_map(Some)];
    let lifetime = select(vec![MINUTE, HOUR * 3, HOUR * 9]);
    (attributes(), declared, total, lifetime, option::weighted(0.35, key())).prop_map(
        |(attributes, declared, total, lifetime, target)| Begin {
            attributes,
            declared,
            total,
            lifetime,
            target,
        },
    )
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![8 => Just(1), 6 => Just(2), 4 => Just(3), 2 => select(&[0, 4, 17, 18, 19][..])]
}

fn total() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![12 => Just(None), 2 => (1..4u32).prop_map(Some), 1 => select(&[0, 19][..]).prop_map(Some)]
}

fn part() -> impl Strategy<Value = PartContent> {
    prop_oneof![3 => Just(PartContent::Planned), 1 => sent().prop_map(PartContent::Other)]
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![
        3 => Just(Expected::Anything),
        2 => Just(Expected::Nothing),
        2 => Just(Expected::Something),
        2 => (1..4u64).prop_map(|revision| Expected::Revision(Revision::new(revision))),
    ]
}

/// What the store under test takes, at most.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_file = MAX_FILE as u64;
    limits.max_session = super::content::MAX_SESSION as u64;
    limits.max_segments = 18;
    limits.max_attributes = 200;
    limits.max_record = 30;
    limits.max_lifetime = HOUR * 4;
    limits.keep_deleted = HOUR;
    limits.keep_sessions = HOUR * 5;
    limits
}
