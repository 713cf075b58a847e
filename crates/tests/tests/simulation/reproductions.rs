//! Histories that once broke a rule, shrunk. Each is named after what it showed.

use aldis_tests::simulation::{Call, Draft, Fault, Medium, Operation, ReplyKind, run};

use Call::Answered;
use Operation::{
    CancelJob, Connect, Create, Deliver, DeliverAll, Disable, Fails, Forge, LogInThere, Look, Move, Reply, RetryTask,
    Settle, Wait,
};
use ReplyKind::Well;

const DRAFT: Draft = Draft {
    devices: 0,
    ttl_s: 0,
    reply_s: 30,
    retries: 0,
    interval_s: 0,
    trigger_s: 0,
    point: false,
    repeated: false,
    single: false,
};

#[track_caller]
fn holds(operations: &[Operation]) {
    run(0, Medium::Memory, operations).expect("every rule holds");
}

/// A turn in which one task became due and another began to wait forgot the other's moment.
#[test]
fn a_retry_that_is_decided_while_others_come_due_is_not_forgotten() {
    let draft = Draft {
        devices: 37,
        reply_s: 28,
        retries: 3,
        interval_s: 1,
        trigger_s: 3,
        ..DRAFT
    };
    holds(&[
        Create(draft, Answered),
        Connect(0),
        Settle(0, 0),
        Wait(144_096),
        Look(0),
    ]);
}

/// The attempt after a given-up one was made and had not left when the given-up one's success came.
#[test]
fn a_late_success_takes_back_the_next_attempt() {
    let draft = Draft {
        devices: 36,
        ttl_s: 600,
        reply_s: 38,
        retries: 2,
        ..DRAFT
    };
    holds(&[
        Create(draft, Answered),
        Connect(2),
        Settle(2, 0),
        DeliverAll,
        Wait(108_148),
        Connect(2),
        Settle(2, 0),
        RetryTask(0, 0, Answered),
        Reply(2, 0, Well),
        RetryTask(0, 1, Answered),
        Reply(2, 0, Well),
    ]);
}

/// An attempt that lay in the session's mailbox left after the device had been disabled.
#[test]
fn nothing_leaves_for_a_device_once_it_is_disabled() {
    let draft = Draft {
        devices: 49,
        ttl_s: 60,
        reply_s: 4,
        retries: 2,
        ..DRAFT
    };
    holds(&[
        Create(draft, Answered),
        Connect(5),
        Settle(5, 0),
        Disable(5, true, Answered),
        DeliverAll,
    ]);
}

/// The end of a session was part of a commit that failed; the session got nothing more, and was never ended.
#[test]
fn a_session_whose_end_could_not_be_stored_goes_on() {
    let draft = Draft {
        devices: 15,
        reply_s: 6,
        retries: 2,
        interval_s: 10,
        ..DRAFT
    };
    holds(&[
        Connect(2),
        Create(draft, Answered),
        Settle(2, 0),
        Fails(Fault::Commits(3)),
        Deliver(2, false),
        Wait(17_688),
        Look(0),
    ]);
}

/// A device that made up a reply to an attempt which it can never have got was believed.
#[test]
fn a_reply_to_an_attempt_that_never_left_counts_for_nothing() {
    let points = Draft {
        devices: 52,
        ttl_s: 5,
        reply_s: 15,
        retries: 2,
        interval_s: 60,
        point: true,
        ..DRAFT
    };
    let services = Draft {
        devices: 55,
        ttl_s: 60,
        reply_s: 23,
        retries: 3,
        ..DRAFT
    };
    holds(&[
        Create(points, Answered),
        Create(services, Answered),
        Connect(23_930),
        CancelJob(0, Answered),
        Settle(23_930, 0),
        DeliverAll,
        Reply(23_930, 0, ReplyKind::Badly(100_101)),
        Wait(55_269),
        Forge(23_930, 23_930),
    ]);
}

/// The session of a device that was moved ended only if the commit of the move was answered: when the answer was lost,
/// the device stayed in over the gateway that it was no longer under.
#[test]
fn a_device_that_is_moved_while_the_answer_is_lost_leaves_its_former_gateway() {
    holds(&[
        Move(5, 0, Answered),
        LogInThere(5),
        Fails(Fault::AnswerLost),
        Move(5, 1, Answered),
    ]);
}

/// The same of a device that was disabled.
#[test]
fn a_device_that_is_disabled_while_the_answer_is_lost_is_shown_out() {
    holds(&[
        Connect(5),
        Fails(Fault::AnswerLost),
        Disable(5, true, Answered),
        Wait(1_300),
    ]);
}
