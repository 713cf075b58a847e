//! One suite for every store.
//!
//! A driver's tests call [`conformance_tests!`](crate::conformance_tests) with a function that makes a [`Fixture`];
//! every case then is a test of its own there. The cases name what the seam promises; `random` applies random histories
//! to the driver and to the model in memory, and both must answer everything alike. After every commit of every case
//! the counters are compared with a recount.
//!
//! Not here: speed, and what a driver does when its medium fails.
#![expect(
    clippy::unwrap_used,
    reason = "this is test code; it is a library so that drivers can run it"
)]

mod bench;
pub mod commits;
pub mod devices;
mod history;
pub mod jobs;
pub mod journal;
pub mod members;
pub mod purge;
pub mod random;
pub mod registry;
pub mod reported;
mod sample;
pub mod searches;
pub mod set_back;
mod snapshot;
pub mod sub_devices;
pub mod tasks;
pub mod waiting;

use aldis_store::Store;

pub use bench::Bench;

/// A store under test.
pub trait Fixture {
    /// The store.
    fn store(&mut self) -> &mut dyn Store;
    /// Closes the store and opens it again on the same data. What keeps nothing does nothing.
    fn reopen(&mut self);
}

/// Makes a new, empty store.
pub type Make = fn() -> Box<dyn Fixture>;

/// Makes a test of every case. The argument names a function of type [`Make`](crate::Make).
#[macro_export]
macro_rules! conformance_tests {
    ($make:ident) => {
        $crate::conformance_tests! { @groups $make
            commits {
                every_commit_has_the_next_number_and_keeps_its_moment,
                a_refused_write_leaves_nothing_and_disturbs_no_other,
                the_writes_of_a_commit_see_each_other_in_order,
                everything_is_there_after_reopening,
                numbers_are_not_reused_after_reopening,
                skipped_numbers_are_given_to_no_job_and_no_task,
                commits_of_a_replaced_writer_are_refused,
            }
            registry {
                organizations_are_created_disabled_and_deleted,
                an_organization_in_use_is_not_deleted,
                access_keys_come_back_with_their_secrets,
                access_keys_are_listed_by_organization,
                models_belong_to_one_organization,
                organization_has_no_more_models_than_it_may,
                a_model_in_use_is_not_deleted,
                products_come_back_with_their_secrets,
                a_product_key_is_taken_over_the_whole_installation,
                product_changes_of_different_parts_both_last,
                a_replaced_secret_of_a_product_is_good_until_its_grace_ends,
                a_product_is_changed_by_its_own_organization_alone,
                a_product_with_devices_is_not_deleted,
            }
            devices {
                a_device_comes_back_as_registered,
                every_device_of_a_batch_has_an_answer_of_its_own,
                devices_are_found_in_the_order_asked_for,
                a_change_replaces_what_an_operator_may_change,
                device_changes_of_different_parts_both_last,
                a_gateway_registers_where_the_product_lets_it_and_has_them_under_it,
                a_gateway_registers_no_gateways,
                a_gateway_registers_no_more_devices_than_it_may,
                a_replaced_secret_of_a_device_is_good_until_its_grace_ends,
                a_product_has_no_more_devices_than_it_may,
                disabling_twice_changes_nothing,
                a_deleted_device_is_found_by_number_alone,
                keys_of_a_deleted_device_name_another_device,
                a_replaced_device_keeps_number_and_asset,
                the_first_login_activates,
                sessions_that_were_open_end_together,
                facts_tell_the_engine_what_it_needs,
            }
            sub_devices {
                a_device_is_under_one_gateway_at_most,
                sub_devices_are_removed_from_their_own_gateway,
                a_gateway_has_no_more_sub_devices_than_it_may,
                topology_needs_devices_of_one_organization,
                topology_ends_with_either_device_and_survives_the_rest,
                sub_devices_are_searched_like_devices,
            }
            reported {
                the_latest_value_of_each_name_is_kept,
                a_device_keeps_no_more_names_of_a_kind_than_it_may,
                what_a_device_reported_goes_with_it,
            }
            jobs {
                a_job_comes_back_as_described,
                a_device_list_has_its_rows_at_once,
                the_trigger_fixes_the_total_once,
                a_triggered_job_is_finished_when_all_its_tasks_are,
                a_repeated_request_gets_the_first_answer,
                a_job_is_cancelled_as_a_whole_no_more_often_than_its_mark_can_count,
                a_cancel_counts_what_it_can_still_stop,
                a_job_cancelled_before_its_trigger_is_finished,
                a_cancel_stays_at_work_until_it_is_settled,
                a_running_job_is_not_deleted,
                jobs_at_work_are_those_with_something_left,
                jobs_are_found_by_their_tasks,
            }
            members {
                the_trigger_allocates_a_number_for_each_member,
                a_product_without_members_is_finished_at_the_trigger,
                changes_after_the_trigger_move_no_membership,
                changes_before_the_trigger_count,
                changes_in_the_triggers_own_commit_count_in_their_order,
                members_of_several_products_come_by_number,
                products_of_another_organization_have_no_members,
                rows_are_written_slice_by_slice,
                a_slice_is_written_once,
                rows_not_yet_written_keep_the_job_going,
                unwritten_rows_can_be_cancelled,
            }
            tasks {
                every_part_of_a_task_comes_back,
                a_step_needs_the_row_as_it_was_seen,
                a_lost_step_writes_nothing,
                steps_of_one_commit_see_each_other,
                a_late_reply_is_kept_once,
                history_is_ordered_by_attempt_and_time,
                rows_of_a_job_come_by_kind_and_in_slices,
                a_task_shows_its_job_and_its_device,
                tasks_of_a_deleted_job_are_gone,
                slots_hold_until_they_are_cleared,
            }
            waiting {
                queued_tasks_are_listed_by_device,
                waiting_includes_tasks_between_retries,
                what_was_sent_to_a_device_is_listed_whatever_waits_behind_it,
                tasks_wake_at_their_own_moments,
                the_next_moment_is_after_now,
            }
            set_back {
                what_a_clock_that_was_ahead_has_stored_keeps_the_time_it_has_left,
                rows_from_before_a_clock_went_ahead_have_no_moments_after_now,
                a_reported_moment_that_has_not_come_hides_nothing,
            }
            purge {
                a_deleted_job_is_purged_in_slices,
                numbers_of_purged_jobs_are_not_reused,
                a_deleted_job_without_rows_goes_at_once,
                slots_survive_their_tasks,
                only_deleted_jobs_are_purged,
            }
            searches {
                pages_are_cut_from_all_matches,
                a_page_of_large_rows_is_refused_and_not_cut_short,
                pages_of_tasks_in_a_state_are_cut_from_all_of_them,
                jobs_are_found_by_every_field,
                tasks_are_found_by_every_field,
                devices_are_found_by_every_field,
                a_devices_status_is_merged_from_rows_and_presence,
                products_are_found_by_every_field,
                models_are_found_by_every_field,
                single_commands_are_found_by_their_device_and_not_among_jobs,
                nothing_crosses_an_organization,
                what_is_deleted_is_not_found,
            }
            journal {
                an_answer_is_remembered_until_it_is_forgotten,
                a_job_is_created_anew_when_the_answer_is_forgotten,
                a_used_proof_is_remembered_until_it_is_over,
                the_same_key_of_another_caller_is_another_key,
                what_operators_did_is_kept,
                what_was_done_is_searched_newest_first,
                who_asked_is_kept_with_what_was_done_and_with_that_alone,
            }
            random {
                random_histories_go_as_in_the_model,
                a_random_history_survives_reopening,
            }
        }
    };
    (@groups $make:ident $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            $(#[test]
            fn $case() {
                $crate::$group::$case(&mut $crate::Bench::new(super::$make));
            })*
        })*
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use aldis_store_memory::MemoryStore;

    struct InMemory(MemoryStore);

    impl Fixture for InMemory {
        fn store(&mut self) -> &mut dyn Store {
            &mut self.0
        }

        fn reopen(&mut self) {}
    }

    fn in_memory() -> Box<dyn Fixture> {
        Box::new(InMemory(MemoryStore::default()))
    }

    crate::conformance_tests!(in_memory);

    #[test]
    fn every_case_is_run() {
        let list = include_str!("lib.rs");
        let groups = [
            ("commits", include_str!("commits.rs")),
            ("registry", include_str!("registry.rs")),
            ("devices", include_str!("devices.rs")),
            ("sub_devices", include_str!("sub_devices.rs")),
            ("jobs", include_str!("jobs.rs")),
            ("members", include_str!("members.rs")),
            ("tasks", include_str!("tasks.rs")),
            ("waiting", include_str!("waiting.rs")),
            ("set_back", include_str!("set_back.rs")),
            ("purge", include_str!("purge.rs")),
            ("searches", include_str!("searches.rs")),
            ("journal", include_str!("journal.rs")),
            ("random", include_str!("random.rs")),
        ];
        for (group, source) in groups {
            for line in source.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
                let case = line.split('(').next().unwrap();
                assert!(
                    list.contains(&format!(" {case},")),
                    "{group}::{case} is not in the list"
                );
            }
        }
    }
}
