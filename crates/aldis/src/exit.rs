//! How the program ends: the exit code, and one message on stderr that says what failed, why, and what may help.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use aldis_client::Error as ClientError;

use crate::error_pages;

/// How a command ended that met no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As wanted.
    Done,
    /// It ran, and told so, but not everything it is about succeeded.
    NotAll,
}

/// The command line, or a file that it names, is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The server cannot go on, or has not ended in order; it should be started again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

/// An error that ends the program as a usage error.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;
/// As `EX_SOFTWARE` of sysexits.h: a fault of the program, not of how it was called.
const BROKEN: u8 = 70;

/// How long stderr may take to accept why the program ends: a pipe that is full and not read must not keep it alive.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Prints what went wrong, if anything, and gives the exit code.
pub(crate) fn report(outcome: anyhow::Result<Outcome>) -> ExitCode {
    let error = match outcome {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::NotAll) => return ExitCode::from(FAILED),
        Err(error) => error,
    };
    if reader_left(&error) {
        return ExitCode::SUCCESS;
    }
    let text = format!("aldis: {error:#}\n{}{}", hint(&error), page(&error));
    print(text);
    ExitCode::from(code(&error))
}

/// Writes to stderr, whatever state that is in.
fn print(text: String) {
    let (done, told) = mpsc::channel();
    let write = move || {
        drop(io::stderr().write_all(text.as_bytes()));
        let _waiting = done.send(());
    };
    // Without a thread there is no way to write that is sure to end.
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _told = told.recv_timeout(TOLD_WITHIN);
    }
}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<Broken>()) {
        return BROKEN;
    }
    if error.chain().any(|cause| cause.is::<Usage>()) {
        return WRONG_USAGE;
    }
    match client_error(error) {
        Some(ClientError::Transport { .. }) => UNREACHABLE,
        Some(ClientError::BadAddress { .. }) => WRONG_USAGE,
        _ => FAILED,
    }
}

fn client_error(error: &anyhow::Error) -> Option<&ClientError> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn hint(error: &anyhow::Error) -> &'static str {
    match client_error(error) {
        Some(ClientError::Transport { .. }) => "Is the server running? --url or ALDIS_URL says where.\n",
        Some(ClientError::Unauthorized { .. }) => {
            "Is this the right key file (--key-file), and does this computer's clock agree with the server's?\n"
        }
        _ => "",
    }
}

/// Where the server's code is explained.
fn page(error: &anyhow::Error) -> String {
    let code = client_error(error).and_then(ClientError::code);
    match code.filter(|code| error_pages::page(*code).is_some()) {
        Some(code) => format!("`aldis explain {code}` tells what code {code} means and what to do.\n"),
        None => String::new(),
    }
}

/// Names the flag that a refused field comes from, where the server names the field.
pub(crate) fn name_flag(error: ClientError, flags: &[(&str, &'static str)]) -> anyhow::Error {
    let refused = error.field().unwrap_or_default();
    let flag = flags.iter().find(|(field, _)| is_within(refused, field));
    match flag {
        Some((_, flag)) => anyhow::Error::from(error).context(*flag),
        None => error.into(),
    }
}

/// The refused path is the field, or a place inside it.
fn is_within(refused: &str, field: &str) -> bool {
    let rest = refused.strip_prefix(field);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `aldis … | head`: the reader has seen enough, which is no failure.
fn reader_left(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| io_error(cause).is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}

/// An error of a CSV writer keeps its cause to itself.
fn io_error<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let refused = ClientError::Refused {
            code: 24404,
            msg: "Job not found".into(),
            request_id: "r".into(),
            field: None,
        };
        assert_eq!(code(&anyhow::Error::from(refused).context("showing the job")), FAILED);
        assert_eq!(code(&usage("no such flag").context("reading x")), WRONG_USAGE);
        let address = ClientError::BadAddress {
            address: "x".into(),
            reason: "y".into(),
        };
        assert_eq!(code(&address.into()), WRONG_USAGE);
        assert_eq!(code(&anyhow::anyhow!("disk full")), FAILED);
        assert_eq!(code(&Broken("the writer ended".into()).into()), BROKEN);
    }

    #[test]
    fn a_refused_field_is_named_by_its_flag() {
        let refused = |field: Option<&str>| ClientError::Refused {
            code: 99400,
            msg: "name: expected text".into(),
            request_id: "r".into(),
            field: field.map(str::to_owned),
        };
        let flags = [("timeoutPolicy.ttl", "--ttl"), ("name", "--name")];
        let named = |field: Option<&str>| format!("{:#}", name_flag(refused(field), &flags));
        assert!(named(Some("timeoutPolicy.ttl")).starts_with("--ttl: name: expected text"));
        assert!(named(Some("name.defaultValue")).starts_with("--name: "));
        for other in [Some("names"), Some("timeoutPolicy"), None] {
            assert!(named(other).starts_with("name: expected text"), "{other:?}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(reader_left(&anyhow::Error::from(closed).context("printing")));
        let closed = csv::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(reader_left(&closed.into()));
        assert!(!reader_left(&io::Error::from(io::ErrorKind::NotFound).into()));
    }
}
