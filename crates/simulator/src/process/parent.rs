//! The process that asks.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{FleetPlan, FleetRequest, Usage};
use crate::Counts;

/// A fleet that runs in another process. That process ends with its value.
#[derive(Debug)]
pub struct FleetProcess {
    size: usize,
    child: Child,
    asks: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl FleetProcess {
    /// Starts `command`, which must end up in [`super::serve_fleet`] on its standard input and output, with this plan.
    /// The devices connect at once.
    ///
    /// # Errors
    /// If the process cannot be started, or ends before it has read the plan.
    pub async fn start(mut command: Command, plan: &FleetPlan) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the fleet's process has no standard input or output"));
        };
        let mut fleet = Self {
            size: plan.devices.len(),
            child,
            asks,
            answers: BufReader::new(answers).lines(),
        };
        fleet.send(serde_json::to_vec(plan)?).await?;
        Ok(fleet)
    }

    /// How many devices it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Asks, and waits for the answer; it has no time limit of its own. An answer that is not waited for would be taken
    /// for that of the next question: after a time-out the fleet has to be given up.
    ///
    /// # Errors
    /// If the process has ended or says something else.
    pub async fn ask(&mut self, ask: FleetRequest) -> io::Result<Counts> {
        self.send(serde_json::to_vec(&ask)?).await?;
        let answer = self.answers.next_line().await?;
        let answer = answer.ok_or_else(|| io::Error::other("the fleet's process has ended"))?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn send(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        self.asks.write_all(&line).await
    }

    /// What the process has used so far.
    ///
    /// # Errors
    /// If it has ended, or the operating system does not tell.
    pub fn usage(&self) -> io::Result<Usage> {
        let ended = || io::Error::other("the fleet's process has ended");
        Usage::of(self.child.id().ok_or_else(ended)?)
    }
}
