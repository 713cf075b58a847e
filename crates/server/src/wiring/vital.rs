//! Parts of the server that have to live as long as it does. Where one ends by itself, the process has to end: what is
//! left of it would look alive and do half of its work.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Held by a part of the server; reports that the part has ended when it is dropped, in whatever way.
pub(super) struct Vital {
    part: &'static str,
    ended: UnboundedSender<&'static str>,
}

impl Drop for Vital {
    fn drop(&mut self) {
        // Where the receiver is gone, the process is ending already.
        let _ending = self.ended.send(self.part);
    }
}

/// Gives guards to the parts.
pub(super) struct Guards(UnboundedSender<&'static str>);

impl Guards {
    pub(super) fn of(&self, part: &'static str) -> Vital {
        let ended = self.0.clone();
        Vital { part, ended }
    }
}

/// Hears of parts that have ended.
pub(super) struct Ends(UnboundedReceiver<&'static str>);

impl Ends {
    /// The next part that has ended; returns at once if all have.
    pub(super) async fn next(&mut self) -> &'static str {
        self.0.recv().await.unwrap_or("every part")
    }
}

pub(super) fn watch() -> (Guards, Ends) {
    let (ended, ends) = unbounded_channel();
    (Guards(ended), Ends(ends))
}
