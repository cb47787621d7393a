//! What is counted.

use sinew_floodsub::Control;

/// What was counted since the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were accepted.
    pub accepted: u64,
    /// Copies of messages that were known already.
    pub duplicates: u64,
    /// Messages of topics that are not ours, too long, malformed, or against the signature policy.
    pub unwanted: u64,
    /// Messages whose signature was none.
    pub forged: u64,
    /// Messages that the application ignored, or did not validate in time.
    pub ignored: u64,
    /// Messages whose number was not above the last of their author.
    pub old: u64,
    /// Messages that the application rejected.
    pub rejected: u64,
    /// Messages that were dropped because too many wait to be validated.
    pub dropped: u64,
    /// Messages that were dropped by [`Params::gater`](crate::Params) while too many wait to be validated.
    pub throttled: u64,
    /// Messages that were not sent because too much waits for a peer, it did not take them in time, or it is gone.
    pub unsent: u64,
    /// Messages that peers said they do not want.
    pub idontwants: u64,
    /// Messages that were not sent because a peer did not want them, though they waited already.
    pub withdrawn: u64,
    /// RPCs of peers with too bad a score.
    pub graylisted: u64,
    /// Streams that were reset because what came was no RPC.
    pub malformed: u64,
    /// Streams that were reset because their peer sent too much in vain.
    pub floods: u64,
    /// Peers that came into a mesh, by our wish or by theirs.
    pub grafts: u64,
    /// Peers that left a mesh, by our wish or by theirs.
    pub prunes: u64,
    /// Messages that were announced and did not come in time.
    pub broken_promises: u64,
    /// Ids that peers announced to us.
    pub ihave_received: u64,
    /// Ids that we announced to peers.
    pub ihave_sent: u64,
    /// Ids that peers asked us for.
    pub iwant_received: u64,
    /// Ids that we asked peers for.
    pub iwant_sent: u64,
    /// Ids that peers did not want of us.
    pub idontwant_received: u64,
    /// Ids that we did not want of peers.
    pub idontwant_sent: u64,
    /// Partial messages that the application took in.
    pub partials: u64,
    /// Messages of the test extension that came.
    pub test_extensions: u64,
}

impl Counts {
    /// Counts what a peer says.
    pub(super) fn heard(&mut self, control: &Control) {
        let announced: usize = control.ihave.iter().map(|ihave| ihave.ids.len()).sum();
        self.ihave_received += announced as u64;
        self.iwant_received += control.iwant.len() as u64;
        self.idontwant_received += control.idontwant.len() as u64;
    }
}
