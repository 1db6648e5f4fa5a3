//! Search by name.

use filestore::{Attributes, Cond, TextField};

use super::rig::Rig;

super::cases! {
    better_matches_come_first
    conditions_hold_for_what_is_found
    the_best_come_when_there_are_many
    nothing_to_look_for_finds_every_file
}

async fn made(rig: &Rig, names: &[&str]) {
    for name in names {
        let mut attributes = Attributes::named(*name);
        attributes.directory = Some(if name.len() % 2 == 0 { "even" } else { "odd" }.into());
        rig.files().reserve(attributes).await.unwrap();
        // So that numbers ascend in this order.
        rig.clock.advance(super::rig::MINUTE);
    }
}

async fn found(rig: &Rig, text: &str, all: &[Cond], limit: usize) -> Vec<String> {
    let found = rig.files().search(text, all, limit).await.unwrap();
    found.into_iter().map(|file| file.attributes.name).collect()
}

async fn better_matches_come_first(rig: Rig) {
    made(
        &rig,
        &[
            "repo.txt",          // similar, by two of four trigrams
            "unreported",        // contains
            "my report (2).txt", // a word begins so
            "Report-2026.pdf",   // begins so
            "REPORT",            // is it
            "other",
            "deported",  // similar, by three of four
            "reports",   // begins so, later
            "a.report.", // a word, later
            "_report_",  // is it, later
        ],
    )
    .await;
    let ranked = [
        "REPORT",
        "_report_",
        "Report-2026.pdf",
        "reports",
        "my report (2).txt",
        "a.report.",
        "unreported",
        "deported",
        "repo.txt",
    ];
    assert_eq!(found(&rig, "rePort!", &[], 1000).await, ranked);
    for limit in 0..ranked.len() {
        assert_eq!(found(&rig, "report", &[], limit).await, ranked[..limit]);
    }
    // A name that has too little of the text does not resemble it.
    assert_eq!(found(&rig, "reporting everything at once", &[], 10).await, [""; 0]);
    assert_eq!(found(&rig, "nothing like it", &[], 10).await, [""; 0]);
}

async fn conditions_hold_for_what_is_found(rig: Rig) {
    made(&rig, &["report", "report1", "a report", "b report1"]).await;
    let odd = [Cond::Is(TextField::Directory, "odd".into())];
    assert_eq!(found(&rig, "report", &odd, 10).await, ["report1", "b report1"]);
}

/// Worse matches are looked for as long as there is room, however many better ones there are.
async fn the_best_come_when_there_are_many(rig: Rig) {
    let names: Vec<String> = (0..600).map(|n| format!("report {n}")).collect();
    made(&rig, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    made(&rig, &["a report", "report"]).await;
    let found = found(&rig, "report", &[], 1000).await;
    assert_eq!(found.len(), 602);
    assert_eq!(found[0], "report");
    assert_eq!(found[1..601], names);
    assert_eq!(found[601], "a report");
}

async fn nothing_to_look_for_finds_every_file(rig: Rig) {
    made(&rig, &["b", "a", "c"]).await;
    assert_eq!(found(&rig, " - ", &[], 10).await, ["b", "a", "c"]);
    assert_eq!(found(&rig, "", &[], 2).await, ["b", "a"]);
}
