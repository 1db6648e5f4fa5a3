//! The one list of all cases, and how a backend joins it.

/// One `#[test]` for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (with $attributes:tt $make:expr; $($module:ident: $($case:ident)*;)*) => {$($(
        $crate::__conformance_test! { $attributes $make; $module $case }
    )*)*};
    ($make:expr; $($cases:tt)*) => {
        $crate::__conformance_tests! { with [] $make; $($cases)* }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ([$(#[$attribute:meta])*] $make:expr; $module:ident $case:ident) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            $crate::conformance::run(|| async {
                $crate::conformance::$module::$case(($make)()).await;
            });
        }
    };
}

/// Joins the cases of [`BlobStore`](crate::backend::BlobStore) for the stores that `$make` makes.
///
/// An attribute before it is that of each test: `#[ignore = "needs a bucket"]`, for a store that is
/// not always there.
#[macro_export]
macro_rules! blob_store_conformance {
    (#[$attribute:meta] $make:expr) => {
        $crate::blob_store_conformance! { with [#[$attribute]] $make }
    };
    (with $attributes:tt $make:expr) => {
        $crate::__conformance_tests! {
            with $attributes $make;
            blobs:
                a_blob_is_read_back_whole
                whole_content_is_stored_like_a_stream
                a_failing_stream_leaves_nothing
                a_dropped_put_leaves_nothing
                a_failed_put_may_be_repeated
                a_blob_is_not_seen_before_its_end
                any_range_comes_out_exactly
                a_range_past_the_end_is_an_error
                an_unknown_key_is_not_found
                a_deletion_may_be_repeated
                a_list_is_complete_and_resumable
                a_list_bears_changes
                the_fixed_key_is_a_key
                a_blob_deleted_under_its_reader_is_never_short
                a_dropped_reader_harms_nobody
                many_callers_do_not_disturb_each_other
                a_store_that_works_is_ready;
        }
    };
    ($make:expr) => {
        $crate::blob_store_conformance! { with [] $make }
    };
}

/// Joins the cases of [`FileRepository`](crate::backend::FileRepository).
#[macro_export]
macro_rules! file_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            files:
                a_file_is_found_by_every_key
                what_is_said_of_a_file_comes_back
                a_file_is_stored_with_its_content
                external_ids_compare_by_bytes
                tenants_never_meet
                an_update_takes_the_next_revision
                an_update_moves_the_external_id
                a_refused_batch_changes_nothing
                a_batch_may_not_want_one_name_twice
                a_batch_answers_in_order
                a_batch_holds_a_thousand
                a_key_must_be_pending_to_be_used
                replacing_content_leaves_the_revision_alone
                a_replacement_may_name_what_it_replaces
                a_removal_frees_every_name
                shared_content_stays_for_its_last_user
                one_batch_counts_every_user
                a_file_may_keep_its_content
                a_load_answers_what_the_range_needs
                a_load_may_need_no_segments
                inline_bytes_come_back
                damaged_content_is_refused
                of_two_updates_one_wins
                of_two_files_of_one_name_one_wins
                of_two_replacements_one_wins;
            queries:
                every_pair_of_conditions_is_answered
                conditions_see_what_is_there_now
                many_conditions_hold_together
                equalities_are_answered_by_number
                a_page_has_1_to_1000_records
                a_strange_cursor_is_refused
                pages_bear_changes
                a_list_of_nothing_is_empty;
            paging:
                every_list_is_complete
                a_long_list_bears_changes
                an_altered_cursor_leads_to_nothing_else
                lists_follow_their_files;
        }
    };
}

/// Joins the cases of [`UploadRepository`](crate::backend::UploadRepository), races included.
#[macro_export]
macro_rules! upload_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            uploads:
                a_session_opens_as_asked
                a_session_needs_a_new_id_and_its_target
                an_unknown_session_is_not_found
                sessions_of_tenants_never_meet
                sessions_are_listed_by_owner
                parts_are_listed_by_number
                tickets_ascend
                time_counts_at_admission_only
                only_an_open_session_takes_parts
                an_admission_knows_the_hash_before
                an_admission_says_what_it_announced
                a_part_is_counted_at_once
                the_total_is_said_once
                a_part_sent_again_is_replaced
                the_later_ticket_stays
                a_part_needs_a_pending_key
                a_chain_is_saved_until_the_end
                a_replaced_part_takes_no_chain;
            completions:
                a_seal_freezes_the_parts_once
                a_gap_is_incomplete
                another_size_than_expected_is_incomplete
                a_seal_depends_on_the_state
                a_completed_session_is_a_file
                a_session_without_parts_becomes_empty_content
                a_completion_is_repeated_without_effect
                a_deleted_file_stays_deleted
                replaced_content_stays_replaced
                publishing_depends_on_the_state
                a_taken_name_leaves_it_sealed
                a_session_may_replace_content
                replaced_content_stays_with_its_other_user
                a_removed_target_fails_its_sessions;
            endings:
                a_session_ends_once
                the_parts_of_an_ended_session_are_garbage
                a_session_does_not_expire_early
                overdue_sessions_are_due
                sessions_long_ended_are_due
                only_ended_sessions_are_forgotten;
            races:
                one_of_two_last_parts_knows
                a_part_sent_again_is_sealed_or_refused
                of_two_seals_one_is_first
                completions_at_once_make_one_file
                a_repeated_completion_does_not_undo_a_deletion
                a_session_is_completed_or_canceled
                a_part_of_a_canceled_session_is_not_live
                the_last_ticket_stays
                a_key_is_claimed_or_used
                a_key_is_claimed_or_renewed
                no_key_is_claimed_twice
                a_removed_target_leaves_nothing_live
                a_copy_has_content_or_is_refused
                a_load_is_one_snapshot
                a_dropped_batch_is_all_or_none
                the_ledger_balances_after_a_storm;
        }
    };
}

/// Joins the cases of [`RecordRepository`](crate::backend::RecordRepository).
#[macro_export]
macro_rules! record_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            records:
                a_record_comes_back_as_written
                what_is_there_must_be_what_is_expected
                what_is_not_there_must_not_be_expected
                a_removal_answers_what_was_there
                a_batch_of_records_is_all_or_none
                records_are_listed_by_the_bytes_of_their_keys
                records_of_tenants_never_meet
                of_two_writers_one_wins
                a_counter_never_repeats;
        }
    };
}

/// Joins the cases of [`LedgerRepository`](crate::backend::LedgerRepository).
#[macro_export]
macro_rules! ledger_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            ledger:
                the_store_keeps_its_id
                a_key_is_announced_once
                a_deadline_can_be_moved
                only_a_pending_key_is_renewed
                a_deadline_alone_takes_nothing
                garbage_is_kept_for_a_while
                a_claim_is_limited
                a_lease_runs_out
                only_claimed_keys_are_settled
                keys_of_every_state_are_listed_in_order
                only_unknown_keys_are_collected;
        }
    };
}

/// Joins the cases of [`ContentRepository`](crate::backend::ContentRepository).
#[macro_export]
macro_rules! content_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            contents:
                contents_are_listed_by_id
                segments_come_in_order
                drafts_are_not_seen
                fragmented_contents_are_found
                segments_can_be_merged
                a_merge_of_something_else_is_none
                a_merge_needs_pending_keys
                of_two_merges_one_happens
                damage_is_marked_and_lifted;
        }
    };
}

/// Joins the cases of [`TransferRepository`](crate::backend::TransferRepository).
#[macro_export]
macro_rules! transfer_repository_conformance {
    ($make:expr) => {
        $crate::__conformance_tests! {
            $make;
            transfers:
                every_tenant_is_listed
                sessions_of_every_owner_are_listed
                records_of_every_kind_are_listed
                every_counter_is_listed
                a_file_is_inserted_as_it_was_elsewhere
                what_is_adopted_is_as_it_was
                what_is_here_stays_as_it_is
                an_open_session_is_not_adopted
                an_adopted_session_stays_as_long_as_its_file;
        }
    };
}

/// Joins the cases of all six traits of a [`Repository`](crate::backend::Repository), each trait
/// in a module of its own. `$make` is looked up in the module around them.
#[macro_export]
macro_rules! repository_conformance {
    ($make:expr) => {
        $crate::__conformance_modules! {
            $make;
            files: file_repository_conformance;
            uploads: upload_repository_conformance;
            records: record_repository_conformance;
            ledger: ledger_repository_conformance;
            contents: content_repository_conformance;
            transfers: transfer_repository_conformance;
        }
    };
}

/// One module for each trait.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_modules {
    ($make:expr; $($module:ident: $join:ident;)*) => {$(
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $crate::$join!($make);
        }
    )*};
}

#[cfg(test)]
mod tests {
    /// A case that is in no list would never run.
    #[test]
    fn every_case_is_listed() {
        let (lists, _) = include_str!("macros.rs").split_once("mod tests").unwrap();
        let listed: Vec<&str> = lists.split_whitespace().collect();
        for source in [
            include_str!("blobs.rs"),
            include_str!("completions.rs"),
            include_str!("contents.rs"),
            include_str!("endings.rs"),
            include_str!("files.rs"),
            include_str!("ledger.rs"),
            include_str!("queries.rs"),
            include_str!("races.rs"),
            include_str!("records.rs"),
            include_str!("transfers.rs"),
            include_str!("uploads.rs"),
        ] {
            let cases = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
            for case in cases.filter_map(|line| line.split('<').next()) {
                let last = format!("{case};");
                assert!(listed.iter().any(|word| *word == case || *word == last), "{case}");
            }
        }
    }
}
